using System.Buffers.Binary;
using System.Text.Json;

namespace Granary.Storage.Chunks;

/// <summary>The parts of a safetensors header, as all of Granary's stored files have them.</summary>
/// <remarks>Source: github.com/huggingface/safetensors, "Format".</remarks>
internal static class SafetensorsEntries
{
    private const int LengthPrefix = sizeof(long);
    private const int Alignment = 64;

    /// <summary>Writes a tensor's entry.</summary>
    public static void Write(Utf8JsonWriter writer, string name, string dtype, ReadOnlySpan<int> dimensions, long offset, long length)
    {
        writer.WriteStartObject(name);
        writer.WriteString("dtype", dtype);
        writer.WriteStartArray("shape");
        foreach (var dimension in dimensions)
        {
            writer.WriteNumberValue(dimension);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(offset);
        writer.WriteNumberValue(offset + length);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>Puts the length before a header's JSON, and spaces behind it.</summary>
    /// <param name="json">The JSON.</param>
    /// <returns>A multiple of 64 bytes; the data follows.</returns>
    public static byte[] Frame(ReadOnlySpan<byte> json)
    {
        var header = new byte[(LengthPrefix + json.Length + Alignment - 1) / Alignment * Alignment];
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - LengthPrefix);
        json.CopyTo(header.AsSpan(LengthPrefix));
        header.AsSpan(LengthPrefix + json.Length).Fill((byte)' ');
        return header;
    }
}
