using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Text;

namespace Granary.Storage.Sealing;

/// <summary>JSON objects that end in their own checksum: <c>{…,"checksum":"…"}</c>, XxHash128 of the bytes without that last member.</summary>
/// <remarks>It is checked on the bytes as they were stored, before any of them is parsed; so no reader depends on another's serializer.</remarks>
public static class SealedJson
{
    private const int ChecksumLength = 32;

    private static ReadOnlySpan<byte> Start => ",\"checksum\":\""u8;

    private static int SuffixLength => Start.Length + ChecksumLength + 2;

    /// <summary>Adds the checksum to a JSON object.</summary>
    /// <param name="json">A compact object that has at least one member, in UTF-8.</param>
    /// <returns>The object with its last member.</returns>
    public static byte[] Seal(ReadOnlySpan<byte> json) => [.. json[..^1], .. Start, .. ChecksumOf(json), .. "\"}"u8];

    /// <summary>Takes the checksum off again, if it is right.</summary>
    /// <param name="content">Bytes, whatever they are.</param>
    /// <param name="json">The object as it was before <see cref="Seal"/>; <see langword="null"/> where the checksum is not right.</param>
    /// <returns>Whether it is.</returns>
    public static bool TryOpen(ReadOnlySpan<byte> content, [NotNullWhen(true)] out byte[]? json)
    {
        json = content.Length > SuffixLength ? [.. content[..^SuffixLength], (byte)'}'] : null;
        if (json is null || !content.SequenceEqual(Seal(json)))
        {
            json = null;
        }

        return json is not null;
    }

    private static byte[] ChecksumOf(ReadOnlySpan<byte> json) => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(XxHash128.Hash(json)));
}
