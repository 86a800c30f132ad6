using Granary.Errors;

namespace Granary.Grains.Contexts;

/// <summary>What labels may be, so that they can be selected and printed.</summary>
internal static class ContextLabels
{
    /// <summary>The most labels of a context: what a manifest holds.</summary>
    public const int Most = 256;

    private const int LongestKey = 128;
    private const int LongestValue = 1024;

    /// <summary>Checks all labels that a context is to have.</summary>
    /// <param name="labels">The labels.</param>
    /// <returns>They.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: a key or a value cannot be one, or there are too many.</exception>
    public static IReadOnlyDictionary<string, string> Check(IReadOnlyDictionary<string, string> labels)
    {
        if (labels.Count > Most)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"There would be {labels.Count} labels.", $"A context has at most {Most}; remove some.");
        }

        foreach (var (key, value) in labels)
        {
            CheckKey(key);
            if (value is null || value.Length > LongestValue || value.Any(char.IsControl))
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, $"The value of the label '{key}' cannot be one.", $"Give at most {LongestValue} characters, none of them a control character.");
            }
        }

        return labels;
    }

    /// <summary>Checks a key.</summary>
    /// <param name="key">The key.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: it cannot be one.</exception>
    public static void CheckKey(string key)
    {
        if (key is not { Length: > 0 and <= LongestKey } || key.Contains('=', StringComparison.Ordinal) || key.Any(char.IsControl))
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "A label's key cannot be one.", $"Give 1 to {LongestKey} characters without '=' and control characters.");
        }
    }
}
