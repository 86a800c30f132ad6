using System.Text;
using CsCheck;

namespace Granary.Testing.Fuzzing;

/// <summary>Files as they come after damage, bad luck or malice: a real one with a few edits.</summary>
public static class Mutations
{
    private const int MostEdits = 4;
    private const int MostMoved = 64;

    // What has broken parsers before: bounds of the integers, numbers that are none, structure that has no end.
    private static readonly byte[][] Nasty = Array.ConvertAll(
        (string[])
        [
            "0", "-1", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e999", "NaN", "1.5", "null", "true", "\"\"", "{}", "[]",
            new string('[', 200), "\"\\ud800\"", "\u0000", "}", "]", "\"", ",", ":", "\n", "\uFEFF",
        ],
        Encoding.UTF8.GetBytes);

    private enum Kind
    {
        Flip,
        Overwrite,
        Insert,
        Delete,
        Duplicate,
        Truncate,
        ReplaceNumber,
    }

    /// <summary>Generates edited copies of a file.</summary>
    /// <param name="original">The file.</param>
    /// <returns>One to four edits each; by chance it may be the file itself.</returns>
    public static Gen<byte[]> Of(byte[] original) =>
        Gen.Select(Gen.Enum<Kind>(), Gen.UInt, Gen.UInt, Gen.OneOf(Gen.Byte.Array[1, 16], Gen.Int[0, Nasty.Length - 1].Select(static index => Nasty[index])), static (kind, at, length, bytes) => (kind, at, length, bytes))
            .Array[1, MostEdits]
            .Select(edits => edits.Aggregate(original, static (file, edit) => Apply(file, edit.kind, edit.at, edit.length, edit.bytes)));

    private static byte[] Apply(byte[] file, Kind kind, uint place, uint size, byte[] bytes)
    {
        if (file.Length == 0)
        {
            return bytes;
        }

        var at = (int)(place % file.Length);
        var length = (int)Math.Min((size % MostMoved) + 1, file.Length - at);
        switch (kind)
        {
            case Kind.Flip:
                var flipped = (byte[])file.Clone();
                flipped[at] ^= (byte)(1 << (int)(size % 8));
                return flipped;
            case Kind.Overwrite:
                var overwritten = (byte[])file.Clone();
                bytes.AsSpan(0, Math.Min(bytes.Length, file.Length - at)).CopyTo(overwritten.AsSpan(at));
                return overwritten;
            case Kind.Insert:
                return [.. file[..at], .. bytes, .. file[at..]];
            case Kind.Delete:
                return [.. file[..at], .. file[(at + length)..]];
            case Kind.Duplicate:
                return [.. file[..at], .. file[at..(at + length)], .. file[at..]];
            case Kind.Truncate:
                return file[..at];
            default:
                // The next number from there on.
                var digits = file.AsSpan(at).IndexOfAnyInRange((byte)'0', (byte)'9');
                if (digits < 0)
                {
                    return file;
                }

                var first = at + digits;
                var rest = file.AsSpan(first).IndexOfAnyExceptInRange((byte)'0', (byte)'9');
                return [.. file[..first], .. bytes, .. rest < 0 ? [] : file[(first + rest)..]];
        }
    }
}
