using System.Buffers.Binary;
using System.Text;

namespace Granary.Storage.Tests.Maintenance;

/// <summary>Damages a chunk's file in one place.</summary>
internal static class ChunkDamage
{
    public static byte[] Of(byte[] good, string damage)
    {
        var data = sizeof(long) + (int)BinaryPrimitives.ReadInt64LittleEndian(good);
        return damage switch
        {
            "first byte of the length" => Flip(good, 0),
            "last byte of the length" => Flip(good, sizeof(long) - 1),
            "version" or "fingerprint" or "numerics" or "hash" or "parent" or "start" or "count" or "checksum" => Turn(good, $"\"{damage}\":\""),
            "end of the fingerprint" => Turn(good, "\"fingerprint\":\"", 63),
            "dtype" => Replace(good, "\"F32\"", "\"F64\""),
            "shape" => Turn(good, "\"shape\":["),
            "first byte of the data" => Flip(good, data),
            "last byte of the data" => Flip(good, good.Length - TokenBytes(good) - 1),
            "token id" => Flip(good, good.Length - 4),
            "cut by a byte" => good[..^1],
            "longer by a byte" => [.. good, 0],
            "empty" => [],
            "7 bytes" => good[..7],
            _ => throw new ArgumentOutOfRangeException(nameof(damage), damage, "There is no such damage."),
        };
    }

    private static int TokenBytes(byte[] good)
    {
        var header = Encoding.ASCII.GetString(good, sizeof(long), (int)BinaryPrimitives.ReadInt64LittleEndian(good));
        var at = header.IndexOf("\"count\":\"", StringComparison.Ordinal) + 9;
        return sizeof(int) * int.Parse(header.AsSpan(at, header.IndexOf('"', at) - at), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static byte[] Flip(byte[] good, int at)
    {
        byte[] bad = [.. good];
        bad[at] ^= 1;
        return bad;
    }

    // The digit behind a mark becomes another that is a digit, too.
    private static byte[] Turn(byte[] good, string mark, int behind = 0)
    {
        var at = Encoding.ASCII.GetString(good).IndexOf(mark, StringComparison.Ordinal) + mark.Length + behind;
        byte[] bad = [.. good];
        bad[at] = bad[at] == (byte)'1' ? (byte)'2' : (byte)'1';
        return bad;
    }

    private static byte[] Replace(byte[] good, string from, string to) => Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(good).Replace(from, to, StringComparison.Ordinal));
}
