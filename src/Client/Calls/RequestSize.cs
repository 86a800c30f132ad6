using System.Text;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Client.Calls;

/// <summary>Refuses inputs that are empty, contradictory or too large for one message before they are sent: an oversized message breaks the connection for others.</summary>
internal static class RequestSize
{
    /// <summary>The most bytes of text (UTF-8) or token ids (4 each) of one input.</summary>
    public const int LimitBytes = 4 << 20;

    /// <summary>Checks an input.</summary>
    /// <param name="what">What it is, for the message: <c>context</c>, <c>prompt</c>, <c>continuation</c>.</param>
    /// <param name="input">The input.</param>
    /// <exception cref="GranaryException">Empty, both text and ids, or over <see cref="LimitBytes"/>; the remedy says what to do.</exception>
    public static void Check(string what, TokenInput input)
    {
        if (input.Text is not null && input.TokenIds is not null)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"The {what} is given as text and as token ids.", "Give one of both.");
        }

        var bytes = BytesOf(input);
        if (bytes == 0)
        {
            throw new GranaryException(ErrorCodes.EmptyInput, $"The {what} is empty.", "Give at least one token.");
        }

        CheckBytes(what, bytes);
    }

    /// <summary>Checks inputs that go in one call.</summary>
    /// <param name="what">What each is, for the message.</param>
    /// <param name="inputs">The inputs.</param>
    /// <exception cref="GranaryException">One is empty, or both text and ids, or all together are over <see cref="LimitBytes"/>; the remedy says what to do.</exception>
    public static void Check(string what, IReadOnlyCollection<TokenInput> inputs)
    {
        foreach (var input in inputs)
        {
            Check(what, input);
        }

        CheckBytes($"list of {what}s", inputs.Sum(BytesOf));
    }

    private static long BytesOf(TokenInput input) =>
        input.Text is { } text ? Encoding.UTF8.GetByteCount(text) : sizeof(int) * (long)(input.TokenIds?.Length ?? 0);

    private static void CheckBytes(string what, long bytes)
    {
        if (bytes > LimitBytes)
        {
            throw new GranaryException(
                ErrorCodes.RequestTooLarge,
                $"The {what} has {bytes:N0} bytes, one call carries {LimitBytes:N0}.",
                $"Shorten the {what}.");
        }
    }
}
