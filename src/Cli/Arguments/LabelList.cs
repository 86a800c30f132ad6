using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads labels: <c>key=value</c>.</summary>
internal static class LabelList
{
    /// <summary>Parses labels.</summary>
    /// <param name="texts">The texts; the value may be empty, and have more equals signs.</param>
    /// <returns>Keys and values.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: one is no label, or two have the same key.</exception>
    public static Dictionary<string, string> Parse(IEnumerable<string> texts)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            if (text.Split('=', 2) is not [{ Length: > 0 } key, var value])
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, $"'{text}' is no label.", "Use key=value.");
            }

            if (!labels.TryAdd(key, value))
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, $"The label '{key}' is given twice.", "Give it once.");
            }
        }

        return labels;
    }
}
