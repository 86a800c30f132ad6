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
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? VersionAgeSeconds)
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
        context.VersionAgeSeconds);
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
