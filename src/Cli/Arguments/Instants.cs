using System.Globalization;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads instants: ISO 8601, UTC where no offset is named.</summary>
internal static class Instants
{
    private static readonly string[] Formats = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd HH:mm:ssK"];

    /// <summary>Parses an instant.</summary>
    /// <param name="flag">The flag, for the message.</param>
    /// <param name="text">The text.</param>
    /// <returns>The instant, UTC.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: use ISO 8601.</exception>
    public static DateTimeOffset Parse(string flag, string text) =>
        DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var instant)
            ? instant
            : throw new GranaryException(ErrorCodes.InvalidArgument, $"{flag} is '{text}', which is no instant.", "Use ISO 8601, UTC where no offset is named: 2027-01-31T18:00:00Z, 2027-01-31.");
}
