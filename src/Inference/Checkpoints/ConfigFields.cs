using System.Text.Json;

namespace Granary.Inference.Checkpoints;

/// <summary>Typed reads of a configuration's fields, which collect faults instead of stopping at the first. A field that is absent or null has its default.</summary>
internal sealed class ConfigFields(JsonElement root, string prefix = "", List<string>? faults = null)
{
    public List<string> Faults { get; } = faults ?? [];

    public bool IsObject => root.ValueKind == JsonValueKind.Object;

    public void Fault(string fault) => Faults.Add(fault);

    public bool Has(string name) => Find(name) is not null;

    public int Positive(string name, int unless)
    {
        if (Find(name) is not { } value)
        {
            return unless;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number is > 0 and <= 1 << 28)
        {
            return number;
        }

        Fault($"{prefix}{name} is {value.GetRawText()}, not an integer from 1 to {1 << 28}");
        return unless;
    }

    public double Number(string name, double unless, double above)
    {
        if (Find(name) is not { } value)
        {
            return unless;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) && number > above)
        {
            return number;
        }

        Fault($"{prefix}{name} is {value.GetRawText()}, not a number above {above}");
        return unless;
    }

    public bool Flag(string name, bool unless)
    {
        var value = Find(name);
        switch (value?.ValueKind)
        {
            case null:
                return unless;
            case JsonValueKind.True or JsonValueKind.False:
                return value.Value.GetBoolean();
            default:
                Fault($"{prefix}{name} is {value.Value.GetRawText()}, not true or false");
                return unless;
        }
    }

    public string? Text(string name)
    {
        var value = Find(name);
        if (value is null or { ValueKind: JsonValueKind.String })
        {
            return value?.GetString();
        }

        Fault($"{prefix}{name} is {value.Value.GetRawText()}, not a text");
        return null;
    }

    public IReadOnlyList<string> Texts(string name) =>
        Find(name) is { ValueKind: JsonValueKind.Array } list
            ? [.. list.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String ? item.GetString() ?? "" : item.GetRawText())]
            : [];

    /// <summary>Reads a token id. Absent, it has its default; null means that there is none; a list of one is that one.</summary>
    public int? TokenId(string name, int unless)
    {
        if (!IsObject || !root.TryGetProperty(name, out var value))
        {
            return unless;
        }

        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 1)
        {
            value = value[0];
        }

        if (value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id))
        {
            return id;
        }

        Fault($"{prefix}{name} is {value.GetRawText()}, not one token id");
        return null;
    }

    /// <summary>Gets the fields of an object within this one; null where it is absent. Its faults are this one's.</summary>
    public ConfigFields? Within(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            return new ConfigFields(value, $"{prefix}{name}.", Faults);
        }

        Fault($"{prefix}{name} is {value.GetRawText()}, not an object");
        return null;
    }

    private JsonElement? Find(string name) =>
        IsObject && root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
