namespace Granary.Contexts;

/// <summary>Asks for a context: its KV cache computed once, and stored.</summary>
[GenerateSerializer, Immutable, Alias("granary.create-context")]
public sealed record CreateContextRequest
{
    /// <summary>Gets the context's text or ids.</summary>
    [Id(0)]
    public required TokenInput Input { get; init; }

    /// <summary>Gets how long the context lives.</summary>
    /// <value>Default: <see langword="null"/>, until it is deleted.</value>
    [Id(1)]
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Gets whether only the last <c>window − </c><see cref="Reserve"/> ids of a too long context are kept.</summary>
    /// <value>Default: <see langword="false"/>, a context that does not fit is refused.</value>
    [Id(2)]
    public bool TruncateLeft { get; init; }

    /// <summary>Gets the tokens that <see cref="TruncateLeft"/> keeps free for prompts and answers.</summary>
    /// <value>Tokens. Default: 256.</value>
    [Id(3)]
    public int Reserve { get; init; } = 256;

    /// <summary>Gets labels that are stored with the context.</summary>
    [Id(4)]
    public Dictionary<string, string> Labels { get; init; } = [];

    /// <summary>Gets whether the context's pages may be freed as soon as they are stored, as when a data set is precomputed.</summary>
    [Id(5)]
    public bool Batch { get; init; }

    /// <summary>Gets the id under which a creation that is sent again counts once: it brings no context back that was deleted since.</summary>
    /// <value>1 to 128 characters. Default: <see langword="null"/>, the SDK draws one.</value>
    [Id(6)]
    public string? OperationId { get; init; }

    /// <summary>Gets whether a hit starts <see cref="TimeToLive"/> anew.</summary>
    /// <value>Default: <see langword="false"/>.</value>
    [Id(7)]
    public bool RefreshOnHit { get; init; }
}
