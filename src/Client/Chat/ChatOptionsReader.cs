using System.Globalization;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.AI;

namespace Granary.Client.Chat;

/// <summary>Reads the options of a call: what can be done becomes <see cref="GenerationOptions"/>, what cannot is refused, all at once.</summary>
internal static class ChatOptionsReader
{
    /// <summary>Reads options.</summary>
    /// <param name="options">The call's.</param>
    /// <param name="settings">The client's.</param>
    /// <param name="model">The context's model.</param>
    /// <param name="client">Given to the options' own factory.</param>
    /// <returns>How the answer is decoded.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the message names what cannot be done.</exception>
    public static GenerationOptions Read(ChatOptions? options, ContextChatOptions settings, string model, IChatClient client)
    {
        var start = settings.Generation;
        if (options is not null)
        {
            var refused = Refusals(options, model).ToList();
            switch (options.RawRepresentationFactory?.Invoke(client))
            {
                case null: break;
                case GenerationOptions raw: start = raw; break;
                case var other: refused.Add($"RawRepresentationFactory (it gave a {other.GetType().Name}, not {nameof(GenerationOptions)})"); break;
            }

            if (refused.Count > 0)
            {
                throw new GranaryException(
                    ErrorCodes.InvalidArgument,
                    $"A context cannot do what these chat options ask for: {string.Join(", ", refused)}.",
                    "Leave them out.");
            }
        }

        return start with
        {
            MaxNewTokens = options?.MaxOutputTokens ?? start.MaxNewTokens,
            Temperature = Widen(options?.Temperature) ?? start.Temperature,
            TopK = options?.TopK ?? start.TopK,
            TopP = Widen(options?.TopP) ?? start.TopP,
            Seed = options?.Seed ?? start.Seed,
            Stop = [.. start.Stop.Concat(settings.Template.Stop).Concat(options?.StopSequences ?? []).Distinct(StringComparer.Ordinal)],
        };
    }

    private static IEnumerable<string> Refusals(ChatOptions options, string model)
    {
        (string Name, bool Refused)[] rules =
        [
            ($"ModelId ('{options.ModelId}'; the context is of '{model}')", options.ModelId is { } id && id != model),
            (nameof(options.ConversationId), options.ConversationId is not null),
            (nameof(options.FrequencyPenalty), options.FrequencyPenalty is not (null or 0)),
            (nameof(options.PresencePenalty), options.PresencePenalty is not (null or 0)),
            (nameof(options.Reasoning), options.Reasoning is not null),
            (nameof(options.ResponseFormat), options.ResponseFormat is not (null or ChatResponseFormatText)),
            (nameof(options.Tools), options.Tools is { Count: > 0 }),
            (nameof(options.ToolMode), options.ToolMode is RequiredChatToolMode),
            (nameof(options.AllowBackgroundResponses), options.AllowBackgroundResponses is true),
            (nameof(options.ContinuationToken), options.ContinuationToken is not null),
        ];
        return rules.Where(static rule => rule.Refused).Select(static rule => rule.Name);
    }

    // By its decimal form: 0.8f is the 0.8 that the caller wrote, so that the answer is the one that the SDK gives for 0.8.
    private static double? Widen(float? value) =>
        value is { } number ? double.Parse(number.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : null;
}
