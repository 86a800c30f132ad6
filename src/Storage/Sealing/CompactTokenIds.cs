using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Storage.Chunks;

namespace Granary.Storage.Sealing;

/// <summary>Token ids in JSON: base64 of int32, little-endian.</summary>
internal sealed class CompactTokenIds : JsonConverter<int[]>
{
    public override int[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (!reader.TryGetBytesFromBase64(out var bytes) || bytes.Length % sizeof(int) != 0)
        {
            throw new JsonException("Token ids are not base64 of int32.");
        }

        return MemoryMarshal.Cast<byte, int>(bytes).ToArray();
    }

    public override void Write(Utf8JsonWriter writer, int[] value, JsonSerializerOptions options) => writer.WriteBase64StringValue(LittleEndian.Bytes(value));
}
