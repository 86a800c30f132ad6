using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Models;

namespace Granary.Grains.Contexts;

/// <summary>The checks that come before any work: empty input, ids outside the vocabulary, sequences beyond the window.</summary>
internal static class TokenLimits
{
    /// <summary>The most ids of one request: the manifest and the request stay far below a grain call's limit.</summary>
    public const int MostIds = 1 << 20;

    /// <summary>The new tokens of an answer that names no limit.</summary>
    public const int DefaultNewTokens = 128;

    /// <summary>The most continuations that one request scores.</summary>
    public const int MostContinuations = 64;

    /// <summary>The most token ids that end an answer.</summary>
    private const int MostStopIds = 16;

    /// <summary>Checks ids.</summary>
    public static void CheckIds(string what, IReadOnlyList<int> ids, ServedModel model)
    {
        if (ids.Count == 0)
        {
            throw new GranaryException(ErrorCodes.EmptyInput, $"The {what} is empty.", "Give at least one token.");
        }

        if (ids.Count > MostIds)
        {
            throw new GranaryException(ErrorCodes.RequestTooLarge, $"The {what} has {ids.Count} tokens, one request carries {MostIds}.", "Give fewer tokens.");
        }

        var vocabulary = model.Loaded.Config.VocabularySize;
        for (var i = 0; i < ids.Count; i++)
        {
            if ((uint)ids[i] >= (uint)vocabulary)
            {
                throw new GranaryException(
                    ErrorCodes.TokenOutOfVocabulary, $"Token {ids[i]} at index {i} of the {what} is outside the vocabulary of {vocabulary}.", $"Use ids from 0 to {vocabulary - 1}.");
            }
        }
    }

    /// <summary>Cuts a context to what the window leaves, where that was asked for.</summary>
    /// <returns>The ids that are kept, and how many leading ones were cut off.</returns>
    public static (int[] Ids, int Truncated) FitContext(int[] ids, CreateContextRequest request, ServedModel model)
    {
        var window = model.Loaded.Config.Window;
        if (!request.TruncateLeft)
        {
            return ids.Length <= window ? (ids, 0) : throw new GranaryException(
                ErrorCodes.ContextWindowExceeded,
                $"The context has {ids.Length} tokens, the window of '{model.Id}' is {window}.",
                "Shorten it, or create it with --truncate left to keep its last tokens.");
        }

        if (request.Reserve < 0 || request.Reserve >= window)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"The reserve is {request.Reserve}, the window {window}.", $"Give a reserve from 0 to {window - 1}.");
        }

        var kept = Math.Min(ids.Length, window - request.Reserve);
        return (ids[^kept..], ids.Length - kept);
    }

    /// <summary>Checks that a context that grows stays within the window.</summary>
    /// <param name="tokens">Tokens of the grown context.</param>
    /// <param name="model">Its model.</param>
    public static void CheckWindow(int tokens, ServedModel model)
    {
        var window = model.Loaded.Config.Window;
        if (tokens > window)
        {
            throw new GranaryException(
                ErrorCodes.ContextWindowExceeded, $"The context would have {tokens} tokens, the window of '{model.Id}' is {window}.", "Append less, or go on in a new context.");
        }
    }

    /// <summary>Gets the most tokens that an answer may have.</summary>
    public static int NewTokens(int contextTokens, int promptTokens, GenerationOptions options, ServedModel model)
    {
        var window = model.Loaded.Config.Window;
        var left = window - contextTokens - promptTokens;
        var wanted = options.MaxNewTokens ?? Math.Min(DefaultNewTokens, Math.Max(left, 1));
        if (wanted < 1)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"{wanted} new tokens were asked for.", "Ask for at least 1.");
        }

        return wanted <= left
            ? wanted
            : throw new GranaryException(
                ErrorCodes.ContextWindowExceeded,
                $"{contextTokens} context, {promptTokens} prompt and {wanted} new tokens are {contextTokens + promptTokens + wanted}, the window of '{model.Id}' is {window}.",
                "Ask for fewer new tokens, or shorten prompt or context.");
    }

    /// <summary>Checks how an answer is to be decoded.</summary>
    public static void CheckOptions(GenerationOptions options, ServedModel model)
    {
        var fault = options switch
        {
            { Temperature: var t } when !double.IsFinite(t) || t is < 0 or > 100 => $"The temperature is {t}. Give 0 to 100.",
            { TopK: < 1 } => $"Top-k is {options.TopK}. Give at least 1.",
            { TopP: <= 0 or > 1 or double.NaN } => $"Top-p is {options.TopP}. Give more than 0 and at most 1.",
            { RepetitionPenalty: not (>= 0.01 and <= 100) } => $"The repetition penalty is {options.RepetitionPenalty}. Give 0.01 to 100.",
            { StopIds.Length: > MostStopIds } => $"{options.StopIds.Length} stop ids were given. Give at most {MostStopIds}.",
            { TopLogProbabilities: < 0 or > 20 } => $"{options.TopLogProbabilities} alternatives were asked for. Give 0 to 20.",
            { Stop.Length: > 16 } => $"{options.Stop.Length} stop strings were given. Give at most 16.",
            _ when options.Stop.Any(static s => s.Length is 0 or > 256) => "A stop string is empty or longer than 256 characters.",
            _ => null,
        };
        if (fault is not null)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, fault, "Correct the option.");
        }

        if (options.StopIds.Length > 0)
        {
            CheckIds("list of stop ids", options.StopIds, model);
        }
    }
}
