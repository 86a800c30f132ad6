using System.Text.Json.Serialization;
using Granary.Contexts;

namespace Granary.Cli.Documents;

/// <summary>What <c>context show</c> prints, and each element of <c>list</c> (DESIGN §8).</summary>
internal record ContextDocument(
    string Context,
    string Model,
    string State,
    long Version,
    int Tokens,
    int Pages,
    long StoredBytes,
    bool Resident,
    DateTimeOffset Created,
    DateTimeOffset? Expires,
    IReadOnlyDictionary<string, string> Labels,
    string? Parent,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? VersionAgeSeconds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? PinnedUntil,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RefreshSeconds)
{
    /// <summary>Makes the document of a context.</summary>
    /// <param name="context">The context.</param>
    /// <returns>The document.</returns>
    public static ContextDocument Of(ContextDescription context) => new(
        context.Context,
        context.Model,
        context.State,
        context.Version,
        context.Tokens,
        context.Pages,
        context.StoredBytes,
        context.Resident,
        context.Created,
        context.Expires,
        context.Labels,
        context.Parent,
        context.VersionAgeSeconds,
        context.PinnedUntil,
        context.TimeToLive?.TotalSeconds);
}

/// <summary>What <c>context create</c> prints: the context, and the work that it took.</summary>
internal sealed record CreatedDocument : ContextDocument
{
    private CreatedDocument(ContextDocument context)
        : base(context)
    {
    }

    /// <summary>Gets the leading ids that were cut off.</summary>
    [JsonPropertyOrder(1)]
    public required int TruncatedTokens { get; init; }

    /// <summary>Gets whether it was stored already.</summary>
    [JsonPropertyOrder(2)]
    public required bool Existed { get; init; }

    /// <summary>Gets the tokens computed by this call.</summary>
    [JsonPropertyOrder(3)]
    public required int PrefilledTokens { get; init; }

    /// <summary>Gets the tokens found in the store.</summary>
    [JsonPropertyOrder(4)]
    public required int RestoredTokens { get; init; }

    /// <summary>Gets the numerics id that its pages are stored under.</summary>
    [JsonPropertyOrder(5)]
    public required string Numerics { get; init; }

    /// <summary>Gets whether the promise of equal bits holds for it.</summary>
    [JsonPropertyOrder(6)]
    public required bool Exact { get; init; }

    /// <summary>Makes the document of a created context.</summary>
    /// <param name="created">The context and the work.</param>
    /// <returns>The document.</returns>
    public static CreatedDocument Of(ContextCreated created) => new(ContextDocument.Of(created.Context))
    {
        TruncatedTokens = created.Context.TruncatedTokens,
        Existed = created.Existed,
        PrefilledTokens = created.PrefilledTokens,
        RestoredTokens = created.RestoredTokens,
        Numerics = created.Numerics,
        Exact = created.Exact,
    };
}

/// <summary>What <c>context warm</c> prints: the context, and where its pages came from.</summary>
internal sealed record WarmedDocument : ContextDocument
{
    private WarmedDocument(ContextDocument context)
        : base(context)
    {
    }

    /// <summary>Gets the tokens of pages that were in memory.</summary>
    [JsonPropertyOrder(1)]
    public required int ResidentTokens { get; init; }

    /// <summary>Gets the tokens read from the store.</summary>
    [JsonPropertyOrder(2)]
    public required int RestoredTokens { get; init; }

    /// <summary>Gets the tokens that were computed.</summary>
    [JsonPropertyOrder(3)]
    public required int RecomputedTokens { get; init; }

    /// <summary>Gets what was decided about the stored pages.</summary>
    [JsonPropertyOrder(4)]
    public required AnswerPlan Plan { get; init; }

    /// <summary>Gets how long it took.</summary>
    [JsonPropertyOrder(5)]
    public required double Seconds { get; init; }

    /// <summary>Gets the numerics id of the pages.</summary>
    [JsonPropertyOrder(6)]
    public required string Numerics { get; init; }

    /// <summary>Gets whether the promise of equal bits holds for it.</summary>
    [JsonPropertyOrder(7)]
    public required bool Exact { get; init; }

    /// <summary>Makes the document.</summary>
    /// <param name="warmed">The context and the work.</param>
    /// <returns>The document.</returns>
    public static WarmedDocument Of(ContextWarmed warmed) => new(Of(warmed.Context))
    {
        ResidentTokens = warmed.ResidentTokens,
        RestoredTokens = warmed.RestoredTokens,
        RecomputedTokens = warmed.RecomputedTokens,
        Plan = warmed.Plan,
        Seconds = warmed.Seconds,
        Numerics = warmed.Numerics,
        Exact = warmed.Exact,
    };
}

/// <summary>What <c>context verify</c> prints.</summary>
internal sealed record VerifiedDocument(
    string Context,
    string Model,
    long Version,
    int Tokens,
    bool Equal,
    int Pages,
    int EqualPages,
    VerifiedPageDocument[] Faults,
    int ProbeTokens,
    bool? ProbeEqual,
    string Numerics,
    bool Exact,
    double Tolerance,
    double Seconds)
{
    /// <summary>Makes the document of a report.</summary>
    /// <param name="report">The report.</param>
    /// <returns>The document.</returns>
    public static VerifiedDocument Of(ContextVerified report) => new(
        report.Context.Context,
        report.Context.Model,
        report.Context.Version,
        report.Context.Tokens,
        report.Equal,
        report.Pages,
        report.EqualPages,
        [.. report.Faults.Select(VerifiedPageDocument.Of)],
        report.ProbeTokens,
        report.ProbeEqual,
        report.Numerics,
        report.Exact,
        report.Tolerance,
        report.Seconds);
}

/// <summary>A page that is not as it should be.</summary>
internal sealed record VerifiedPageDocument(
    int Page,
    int Start,
    int Count,
    string Fault,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PageDifferenceDocument? Difference)
{
    /// <summary>Makes the document of a page.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The document.</returns>
    public static VerifiedPageDocument Of(VerifiedPage page) => new(page.Page, page.Start, page.Count, page.Fault, page.Difference is { } difference ? PageDifferenceDocument.Of(difference) : null);
}

/// <summary>How a page differs; <c>largest</c> is null where one of the two numbers is not finite.</summary>
internal sealed record PageDifferenceDocument(long Values, int Layer, string Kind, int Head, int Position, int Channel, double? Largest)
{
    /// <summary>Makes the document of a difference.</summary>
    /// <param name="difference">The difference.</param>
    /// <returns>The document.</returns>
    public static PageDifferenceDocument Of(PageDifference difference) => new(
        difference.Values, difference.Layer, difference.Kind, difference.Head, difference.Position, difference.Channel, double.IsFinite(difference.Largest) ? difference.Largest : null);
}

/// <summary>One step of a warm-up or a verification.</summary>
internal sealed record TokensProgressEvent([property: JsonPropertyName("event")] string Event, int DoneTokens, int TotalTokens)
{
    /// <summary>Makes a step's event.</summary>
    /// <param name="done">Tokens that are done.</param>
    /// <param name="total">All tokens.</param>
    /// <returns>The event.</returns>
    public static TokensProgressEvent Of(int done, int total) => new("progress", done, total);
}

/// <summary>Where the next page of <c>context list --limit</c> starts: on standard error, so that standard output stays the list.</summary>
internal sealed record ContinuationDocument(string Continuation);

/// <summary>One step of a creation.</summary>
internal sealed record ContextProgressEvent([property: JsonPropertyName("event")] string Event, string Stage, int DoneTokens, int TotalTokens)
{
    /// <summary>Makes a step's event.</summary>
    /// <param name="progress">The step.</param>
    /// <returns>The event.</returns>
    public static ContextProgressEvent Of(ContextProgress progress) =>
        new("progress", progress.Stage.ToString().ToLowerInvariant(), progress.DoneTokens, progress.TotalTokens);
}

/// <summary>What <c>context evict</c> prints.</summary>
internal sealed record EvictedDocument(string Context, string Model, bool Evicted);

/// <summary>What <c>context export</c> prints.</summary>
internal sealed record ExportedDocument(string Context, string Model, long Version, string Numerics, string Dtype, int Tokens, long Bytes, string Out);

/// <summary>What <c>context delete</c> prints.</summary>
internal sealed record DeletedDocument(string Context, string Model, bool Deleted);
