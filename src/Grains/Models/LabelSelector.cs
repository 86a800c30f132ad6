using Granary.Errors;
using Granary.Grains.Contexts;

namespace Granary.Grains.Models;

/// <summary>What a label must be: there, or of one value.</summary>
/// <param name="Key">The label's key.</param>
/// <param name="Value">Its value; <see langword="null"/> for any.</param>
internal sealed record LabelSelector(string Key, string? Value)
{
    /// <summary>Parses <c>key=value</c> or <c>key</c>.</summary>
    /// <param name="selectors">At most as many as a context has labels.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: one cannot be a selector.</exception>
    public static LabelSelector[] ParseAll(string[] selectors)
    {
        if (selectors.Length > ContextLabels.Most)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"{selectors.Length} labels were asked for.", $"Ask for at most {ContextLabels.Most}.");
        }

        return [.. selectors.Select(static selector =>
        {
            var parts = selector.Split('=', 2);
            ContextLabels.CheckKey(parts[0]);
            return new LabelSelector(parts[0], parts.Length == 2 ? parts[1] : null);
        })];
    }

    /// <summary>Tells whether labels are as asked for.</summary>
    /// <param name="labels">The labels.</param>
    public bool Selects(Dictionary<string, string> labels) => labels.TryGetValue(Key, out var value) && (Value is null || value == Value);
}
