using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Granary.Storage.Sealing;

/// <summary>JSON of any content, sealed, that says which object it is: <c>{"formatVersion":1,"key":"…","content":…,"checksum":"…"}</c>.</summary>
/// <remarks>A byte that was changed is seen by the checksum, another object's document in its place by the key. Both are compared as bytes, before anything is parsed.</remarks>
public static class SealedDocument
{
    /// <summary>The version of the format that this library reads and writes.</summary>
    public const int CurrentFormatVersion = 1;

    /// <summary>Makes an object's document.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="content">One JSON value, in UTF-8.</param>
    /// <returns>The object's bytes.</returns>
    public static byte[] Seal(string key, ReadOnlySpan<byte> content) => SealedJson.Seal([.. HeadOf(key), .. content, (byte)'}']);

    /// <summary>Takes the content out again, if all around it is right.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="document">The object's bytes.</param>
    /// <param name="content">The JSON value, in UTF-8; empty where there is a fault.</param>
    /// <param name="fault">What is wrong, for a message.</param>
    /// <returns>Whether nothing is.</returns>
    public static bool TryOpen(string key, ReadOnlySpan<byte> document, out ReadOnlyMemory<byte> content, [NotNullWhen(false)] out string? fault)
    {
        var head = HeadOf(key);
        var isSealed = SealedJson.TryOpen(document, out var json);
        fault = !isSealed ? "its checksum does not match its bytes" : json.AsSpan().StartsWith(head) ? null : FaultOf(json!, key);
        content = fault is null ? json.AsMemory()[head.Length..^1] : default;
        return fault is null;
    }

    private static byte[] HeadOf(string key) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"formatVersion\":{CurrentFormatVersion},\"key\":\"{JsonEncodedText.Encode(key)}\",\"content\":"));

    private static string FaultOf(byte[] json, string key)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            return root.TryGetProperty("key", out var other) && other.ValueKind == JsonValueKind.String && other.GetString() != key ? $"it is that of '{other.GetString()}'"
                : root.TryGetProperty("formatVersion", out var version) ? $"its format version is {version.GetRawText()}, {CurrentFormatVersion} is known"
                : "it is another kind of document";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // no object, or text that is not UTF-8
        {
            return "it is another kind of document";
        }
    }
}
