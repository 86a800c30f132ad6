using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Granary.Storage.Chunks;

/// <summary>Builds a chunk's canonical safetensors header: for one identity and checksum there is exactly one.</summary>
/// <remarks>Format: this folder's README. Source: github.com/huggingface/safetensors, "Format". Invariant 1: readers compare bytes and parse nothing.</remarks>
public static class ChunkHeader
{
    /// <summary>The hexadecimal digits of a checksum.</summary>
    public const int ChecksumLength = 32;

    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);

    // Found once: the quotes of any text in front of it would be escaped.
    private static readonly byte[] ChecksumMark = Encoding.ASCII.GetBytes("\"checksum\":\"");

    /// <summary>Builds the header.</summary>
    /// <param name="identity">The chunk.</param>
    /// <param name="checksum">XxHash128 of the data, 32 lower-case hexadecimal digits.</param>
    /// <returns>The length prefix and the JSON, padded with spaces to a multiple of 64 bytes; the data follows.</returns>
    public static byte[] Build(ChunkIdentity identity, string checksum)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentOutOfRangeException.ThrowIfNotEqual(checksum.Length, ChecksumLength);

        var json = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(json, Compact))
        {
            writer.WriteStartObject();
            WriteMetadata(writer, identity, checksum);
            WriteTensors(writer, identity);
            writer.WriteEndObject();
        }

        return SafetensorsEntries.Frame(json.WrittenSpan);
    }

    /// <summary>Gets the checksum that a header states, or <see langword="null"/> where anything else in it differs from what is expected.</summary>
    /// <param name="identity">What is expected.</param>
    /// <param name="header">What was read.</param>
    internal static string? FindChecksum(ChunkIdentity identity, ReadOnlySpan<byte> header)
    {
        var expected = Build(identity, new string('0', ChecksumLength));
        var at = expected.AsSpan().IndexOf(ChecksumMark) + ChecksumMark.Length;
        var end = at + ChecksumLength;
        var canonical = header.Length == expected.Length
            && header[..at].SequenceEqual(expected.AsSpan(0, at))
            && header[end..].SequenceEqual(expected.AsSpan(end))
            && header[at..end].IndexOfAnyExcept(HexDigits) < 0;
        return canonical ? Encoding.ASCII.GetString(header[at..end]) : null;
    }

    private static void WriteMetadata(Utf8JsonWriter writer, ChunkIdentity identity, string checksum)
    {
        writer.WriteStartObject("__metadata__"); // safetensors: text values only
        writer.WriteString("version", ChunkHash.FormatVersion.ToString(CultureInfo.InvariantCulture));
        writer.WriteString("fingerprint", identity.Fingerprint);
        writer.WriteString("numerics", identity.Numerics);
        writer.WriteString("hash", identity.Hash.ToString());
        writer.WriteString("parent", identity.Parent.ToString());
        writer.WriteString("start", identity.Start.ToString(CultureInfo.InvariantCulture));
        writer.WriteString("count", identity.Count.ToString(CultureInfo.InvariantCulture));
        writer.WriteString("checksum", checksum);
        writer.WriteEndObject();
    }

    private static void WriteTensors(Utf8JsonWriter writer, ChunkIdentity identity)
    {
        var (shape, tokens) = (identity.Shape, identity.Count);
        var length = shape.TensorBytes(tokens);
        var offset = 0L;
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            foreach (var part in (ReadOnlySpan<string>)["key", "value"])
            {
                SafetensorsEntries.Write(writer, $"layers.{layer}.{part}", shape.SafetensorsDtype, [shape.KvHeads, tokens, shape.HeadDim], offset, length);
                offset += length;
            }
        }

        SafetensorsEntries.Write(writer, "tokens", "I32", [tokens], offset, (long)sizeof(int) * tokens);
    }
}
