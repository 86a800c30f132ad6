using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;

namespace Granary.Storage.Export;

/// <summary>Builds the safetensors header of an exported context: its KV as Hugging Face's <c>past_key_values</c> have it.</summary>
/// <remarks>Format: docs/formats.md. Source: github.com/huggingface/safetensors, "Format"; transformers' <c>DynamicCache</c>: <c>[batch, kv_heads, tokens, head_dim]</c> of each layer.</remarks>
internal static class ExportHeader
{
    /// <summary>Builds the header.</summary>
    /// <param name="manifest">The context.</param>
    /// <param name="numerics">The numerics id of its KV.</param>
    /// <param name="shape">The shape of its KV.</param>
    /// <returns>The length prefix and the JSON, padded with spaces to a multiple of 64 bytes; the data follows.</returns>
    public static byte[] Build(ContextManifest manifest, string numerics, ChunkShape shape)
    {
        var json = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__"); // safetensors: text values only
            writer.WriteString("format", "granary-context");
            writer.WriteString("context", manifest.Name);
            writer.WriteString("model", manifest.Model);
            writer.WriteString("version", manifest.Version.ToString(CultureInfo.InvariantCulture));
            writer.WriteString("fingerprint", manifest.Fingerprint);
            writer.WriteString("numerics", numerics);
            writer.WriteEndObject();
            WriteTensors(writer, manifest.TokenIds.Length, shape);
            writer.WriteEndObject();
        }

        return SafetensorsEntries.Frame(json.WrittenSpan);
    }

    private static void WriteTensors(Utf8JsonWriter writer, int tokens, ChunkShape shape)
    {
        var length = shape.TensorBytes(tokens);
        var offset = 0L;
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            foreach (var part in (ReadOnlySpan<string>)["key", "value"])
            {
                SafetensorsEntries.Write(writer, $"layers.{layer}.{part}", shape.SafetensorsDtype, [1, shape.KvHeads, tokens, shape.HeadDim], offset, length);
                offset += length;
            }
        }

        SafetensorsEntries.Write(writer, "tokens", "I32", [tokens], offset, (long)sizeof(int) * tokens);
    }
}
