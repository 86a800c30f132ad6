using System.Globalization;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads lists of sizes: <c>512,2048</c>.</summary>
internal static class NumberList
{
    /// <summary>Parses a list.</summary>
    /// <param name="flag">The flag, for messages.</param>
    /// <param name="text">The text.</param>
    /// <param name="most">The largest number that makes sense.</param>
    /// <returns>At least one number from 1 to <paramref name="most"/>; a repeated one once.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: use whole numbers above 0.</exception>
    public static int[] Parse(string flag, string text, int most) => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part => Number(flag, part, most)).Distinct()];

    /// <summary>Checks a single number.</summary>
    /// <param name="flag">The flag, for the message.</param>
    /// <param name="value">The number.</param>
    /// <param name="most">The largest that makes sense.</param>
    /// <returns>The number.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: use a number from 1 to <paramref name="most"/>.</exception>
    public static int Check(string flag, int value, int most) => value >= 1 && value <= most
        ? value
        : throw new GranaryException(ErrorCodes.InvalidArgument, $"{flag} is {value}.", $"Give a number from 1 to {most}.");

    private static int Number(string flag, string part, int most) => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most
        ? number
        : throw new GranaryException(ErrorCodes.InvalidArgument, $"{flag} has '{part}', which is no number from 1 to {most}.", "Give whole numbers with commas between them: 512,2048.");
}
