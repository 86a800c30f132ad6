using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Granary.Contexts;
using Granary.Datasets;

namespace Granary.Cli.Documents;

/// <summary>The answer document (DESIGN §8).</summary>
internal sealed record AnswerDocument(
    string? Context,
    string Model,
    long? Version,
    string Numerics,
    bool Exact,
    string? Text,
    int[] TokenIds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double[]? LogProbabilities,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] AlternativeDocument[][]? TopLogProbabilities,
    string FinishReason,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Seed,
    AnswerUsage Usage,
    double FirstTokenSeconds,
    AnswerPlan Plan,
    string? Seam,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? VersionAgeSeconds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? KeptVersion)
{
    /// <summary>Makes the document of an answer.</summary>
    /// <param name="answer">The answer.</param>
    /// <returns>The document.</returns>
    public static AnswerDocument Of(Answer answer) => new(
        answer.Context,
        answer.Model,
        answer.Version,
        answer.Numerics,
        answer.Exact,
        answer.Text,
        answer.TokenIds,
        answer.LogProbabilities,
        answer.TopLogProbabilities?.Select(token => token.Select(other => new AlternativeDocument(other.Id, other.LogProbability)).ToArray()).ToArray(),
        answer.FinishReason,
        answer.Seed,
        answer.Usage,
        answer.FirstTokenSeconds,
        answer.Plan,
        answer.Seam,
        answer.VersionAgeSeconds,
        answer.KeptVersion);

    /// <summary>Makes the line of a data set's question: the answer, or why there is none, with item, question and right answers in front.</summary>
    /// <param name="answer">The answered question.</param>
    /// <returns>The line's fields.</returns>
    public static JsonObject LineOf(DatasetAnswer answer)
    {
        var line = answer.Answer is { } found ? JsonDocuments.ToObject(Of(found)) : JsonDocuments.ToObject(FailureOf(answer));
        line.Insert(0, "item", answer.Item);
        line.Insert(1, "question", answer.Question.Id);
        line.Insert(2, "answers", new JsonArray([.. answer.Question.Answers.Select(text => (JsonNode)text)]));
        return line;
    }

    private static ErrorDocument FailureOf(DatasetAnswer answer) => new(new ErrorFields(
        answer.Failure?.Code ?? Granary.Errors.ErrorCodes.Internal,
        answer.Failure?.Message ?? "The question was not answered.",
        "Ask again; the other questions are answered."));
}

/// <summary>One alternative to a decoded token.</summary>
internal sealed record AlternativeDocument(int Id, double LogProbability);

/// <summary>One token's event.</summary>
internal sealed record TokenEvent(
    [property: JsonPropertyName("event")] string Event,
    int Index,
    int Id,
    string? Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? LogProbability)
{
    /// <summary>Makes a token's event.</summary>
    /// <param name="token">The token.</param>
    /// <returns>The event.</returns>
    public static TokenEvent Of(AnswerToken token) => new("token", token.Index, token.Id, token.Text, token.LogProbability);
}

/// <summary>The continuation's log-probabilities.</summary>
internal sealed record ScoreDocument(
    int[] TokenIds,
    double[] LogProbabilities,
    double Sum,
    string Numerics,
    bool Exact,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? VersionAgeSeconds);
