namespace Granary.Inference.Generation;

/// <summary>Passes an answer's text on, but holds back what may become a stop string.</summary>
internal sealed class StopScanner(IReadOnlyList<string> stops)
{
    private string _held = string.Empty;

    /// <summary>Gets whether a stop string came. Nothing is passed on after it.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Adds text.</summary>
    /// <param name="text">What became certain.</param>
    /// <returns>What can be passed on; up to the first stop string, where one is complete.</returns>
    public string Append(string text)
    {
        if (Stopped || stops.Count == 0)
        {
            return Stopped ? string.Empty : text;
        }

        _held += text;
        var end = First();
        if (end >= 0)
        {
            Stopped = true;
            return Pass(end);
        }

        return Pass(_held.Length - Undecided());
    }

    /// <summary>Ends the answer.</summary>
    /// <returns>What was held back and is no stop string.</returns>
    public string Flush() => Stopped ? string.Empty : Pass(_held.Length);

    // The start of the stop string that is complete first, so that it does not matter how the text was cut into pieces.
    private int First()
    {
        var (first, end) = (-1, int.MaxValue);
        foreach (var stop in stops)
        {
            var at = _held.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (at + stop.Length < end || (at + stop.Length == end && at < first)))
            {
                (first, end) = (at, at + stop.Length);
            }
        }

        return first;
    }

    // The longest end of the text that a stop string begins with.
    private int Undecided()
    {
        var longest = 0;
        foreach (var stop in stops)
        {
            for (var length = Math.Min(stop.Length - 1, _held.Length); length > longest; length--)
            {
                if (_held.AsSpan(_held.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }

    private string Pass(int length)
    {
        var passed = _held[..length];
        _held = _held[length..];
        return passed;
    }
}
