namespace Granary.Contexts;

/// <summary>Puts more tokens behind a context: its next version.</summary>
[GenerateSerializer, Immutable, Alias("granary.append")]
public sealed record AppendRequest
{
    /// <summary>Gets the text or ids that are put behind the context's own, tokenized apart from them.</summary>
    [Id(0)]
    public required TokenInput Input { get; init; }

    /// <summary>Gets the only version that may grow.</summary>
    /// <value>Default: <see langword="null"/>, the newest.</value>
    [Id(1)]
    public long? IfVersion { get; init; }

    /// <summary>Gets whether the computation yields to interactive work.</summary>
    [Id(2)]
    public bool Batch { get; init; }

    /// <summary>Gets the id under which an addition that is sent again counts once.</summary>
    /// <value>1 to 128 characters. Default: <see langword="null"/>, the SDK draws one.</value>
    /// <remarks>A context remembers those of the last two minutes, and its last 64 in any case.</remarks>
    [Id(3)]
    public string? OperationId { get; init; }
}
