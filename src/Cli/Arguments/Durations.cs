using System.Globalization;
using System.Text.RegularExpressions;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads durations: <c>90s</c>, <c>1h</c>, <c>7d</c>, <c>1h30m</c>.</summary>
internal static partial class Durations
{
    /// <summary>Parses a duration.</summary>
    /// <param name="flag">The flag, for the message.</param>
    /// <param name="text">The text.</param>
    /// <returns>A duration above zero.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: use number and unit.</exception>
    public static TimeSpan Parse(string flag, string text)
    {
        if (Pattern().Match(text) is { Success: true } match)
        {
            try
            {
                var seconds = match.Groups["n"].Captures.Zip(match.Groups["u"].Captures).Sum(part =>
                    double.Parse(part.First.Value, CultureInfo.InvariantCulture) * SecondsOf(part.Second.Value));
                if (seconds > 0)
                {
                    return TimeSpan.FromSeconds(seconds);
                }
            }
            catch (OverflowException)
            {
                // Falls through to the refusal: longer than a TimeSpan holds.
            }
        }

        throw new GranaryException(ErrorCodes.InvalidArgument, $"{flag} is '{text}', which is no duration.", "Use numbers and units above zero: 90s, 15m, 1h, 7d, 1h30m.");
    }

    private static double SecondsOf(string unit) => unit switch { "s" => 1, "m" => 60, "h" => 3600, _ => 86400 };

    [GeneratedRegex(@"\A(?:(?<n>\d{1,9}(?:\.\d+)?)(?<u>[smhd]))+\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
