using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Granary.Cli.Documents;

/// <summary>How the documents of DESIGN §8 are written: compact, camelCase, numbers that round-trip.</summary>
internal static class JsonDocuments
{
    /// <summary>Gets how one line is written.</summary>
    public static readonly JsonSerializerOptions LineOptions = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // a terminal or a file reads it, no web page
        NumberHandling = JsonNumberHandling.Strict,
    };

    /// <summary>Writes a document.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="document">The document.</param>
    /// <returns>One line, without its end.</returns>
    public static string Write<T>(T document) => JsonSerializer.Serialize(document, LineOptions);

    /// <summary>Makes a document that fields can be put into.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="document">The document.</param>
    /// <returns>Its fields, in order.</returns>
    public static JsonObject ToObject<T>(T document) => JsonSerializer.SerializeToNode(document, LineOptions)?.AsObject() ?? [];

    /// <summary>Reads a document.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="line">One line.</param>
    /// <returns>The document.</returns>
    public static T? Read<T>(string line) => JsonSerializer.Deserialize<T>(line, LineOptions);
}
