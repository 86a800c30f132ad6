using System.Text.Json;

namespace Granary.Client.Datasets;

/// <summary>Reads fields of JSON objects, naming what is wrong with them.</summary>
internal static class JsonFields
{
    /// <summary>Gets a string.</summary>
    /// <param name="element">An object.</param>
    /// <param name="name">The field.</param>
    /// <returns>Its value; a number's digits, since many data sets number their ids.</returns>
    public static string Text(this JsonElement element, string name) => element.Field(name) switch
    {
        { ValueKind: JsonValueKind.String } text => Decoded(text, name),
        { ValueKind: JsonValueKind.Number } number => number.GetRawText(),
        var other => throw new FieldException($"'{name}' is {Kind(other)}, not a string."),
    };

    /// <summary>Gets the elements of a list.</summary>
    /// <param name="element">An object.</param>
    /// <param name="name">The field.</param>
    /// <param name="optional">Whether a missing field is an empty list.</param>
    /// <returns>The elements.</returns>
    public static IEnumerable<JsonElement> List(this JsonElement element, string name, bool optional = false)
    {
        if (optional && element.ValueKind == JsonValueKind.Object && !element.TryGetProperty(name, out _))
        {
            return [];
        }

        var list = element.Field(name);
        return list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw new FieldException($"'{name}' is {Kind(list)}, not a list.");
    }

    /// <summary>Gets a string that is itself an element of a list.</summary>
    /// <param name="element">The element.</param>
    /// <param name="name">The list.</param>
    /// <returns>Its value.</returns>
    public static string AsText(this JsonElement element, string name) => element.ValueKind == JsonValueKind.String
        ? Decoded(element, name)
        : throw new FieldException($"an element of '{name}' is {Kind(element)}, not a string.");

    private static JsonElement Field(this JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new FieldException($"{Kind(element)} stands where an object with '{name}' should.");
        }

        return element.TryGetProperty(name, out var value) ? value : throw new FieldException($"'{name}' is missing.");
    }

    private static string Decoded(JsonElement element, string name)
    {
        try
        {
            return element.GetString() ?? "";
        }
        catch (InvalidOperationException)
        {
            throw new FieldException($"'{name}' is not valid UTF-8.");
        }
    }

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
