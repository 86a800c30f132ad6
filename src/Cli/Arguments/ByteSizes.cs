using System.Globalization;
using System.Text.RegularExpressions;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads and writes byte sizes: <c>80GB</c> is 80 · 10^9, <c>80GiB</c> is 80 · 2^30.</summary>
internal static partial class ByteSizes
{
    /// <summary>Parses a size.</summary>
    /// <param name="flag">The flag, for the message.</param>
    /// <param name="text">The text.</param>
    /// <returns>Bytes, above zero.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: use number and unit.</exception>
    public static long Parse(string flag, string text)
    {
        if (Pattern().Match(text) is { Success: true } match)
        {
            var exponent = " KMGT".IndexOf((match.Groups["p"].Value + " ").ToUpperInvariant()[0], StringComparison.Ordinal);
            var bytes = double.Parse(match.Groups["n"].Value, CultureInfo.InvariantCulture) * Math.Pow(match.Groups["i"].Success ? 1024 : 1000, exponent);
            if (bytes is >= 1 and < long.MaxValue)
            {
                return (long)bytes;
            }
        }

        throw new GranaryException(ErrorCodes.InvalidArgument, $"{flag} is '{text}', which is no size.", "Use a number with B, KB, MB, GB, TB, or KiB, MiB, GiB, TiB.");
    }

    /// <summary>Writes a size for people.</summary>
    /// <param name="bytes">Bytes.</param>
    /// <returns><c>50.3 MB</c>.</returns>
    public static string Show(long bytes)
    {
        string[] units = ["B", "KB", "MB", "GB", "TB", "PB"];
        var unit = 0;
        var value = (double)bytes;
        for (; value >= 1000 && unit < units.Length - 1; unit++)
        {
            value /= 1000;
        }

        return unit == 0 ? $"{bytes} B" : string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {units[unit]}");
    }

    [GeneratedRegex(@"\A(?<n>\d{1,15}(?:\.\d+)?) ?(?:(?<p>[KMGTkmgt])(?<i>i)?)?[Bb]?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
