using System.Globalization;
using System.Text.Json;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads token ids: <c>1,2,3</c>, or <c>@ids.json</c> for a file with a JSON list.</summary>
internal static class TokenIdList
{
    /// <summary>Parses ids.</summary>
    /// <param name="flag">The flag, for messages.</param>
    /// <param name="text">The text.</param>
    /// <returns>At least one id.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidArgument"/>: use whole numbers. <see cref="ErrorCodes.EmptyInput"/>: give one at least.
    /// <see cref="ErrorCodes.FileNotFound"/>: give an existing file.
    /// </exception>
    public static int[] Parse(string flag, string text)
    {
        var ids = text.StartsWith('@') ? ReadFile(flag, text[1..]) : ReadList(flag, text);
        return ids.Length > 0
            ? ids
            : throw new GranaryException(ErrorCodes.EmptyInput, $"{flag} has no token ids.", "Give at least one id.");
    }

    private static int[] ReadList(string flag, string text) => text.Trim().Length == 0
        ? []
        : [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
            int.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id) ? id : throw NotIds(flag, $"'{part}' is no token id"))];

    private static int[] ReadFile(string flag, string path)
    {
        try
        {
            return JsonSerializer.Deserialize<int[]>(InputFiles.ReadText(path)) ?? [];
        }
        catch (JsonException)
        {
            throw NotIds(flag, $"'{path}' is no JSON list of whole numbers");
        }
    }

    private static GranaryException NotIds(string flag, string fault) =>
        new(ErrorCodes.InvalidArgument, $"{flag}: {fault}.", "Give whole numbers, 1,2,3, or a file with a JSON list, @ids.json.");
}
