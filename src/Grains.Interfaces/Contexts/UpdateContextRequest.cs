namespace Granary.Contexts;

/// <summary>Changes what is known about a context, and none of its tokens: its version stays what it is.</summary>
[GenerateSerializer, Immutable, Alias("granary.update-context")]
public sealed record UpdateContextRequest
{
    /// <summary>Gets when it is to expire.</summary>
    /// <value>Default: <see langword="null"/>, as before.</value>
    [Id(0)]
    public ContextExpiry? Expiry { get; init; }

    /// <summary>Gets how long it is to be pinned.</summary>
    /// <value>Default: <see langword="null"/>, as before.</value>
    [Id(1)]
    public ContextPin? Pin { get; init; }

    /// <summary>Gets whether its pin ends now.</summary>
    [Id(2)]
    public bool Unpin { get; init; }

    /// <summary>Gets labels that are set, or replaced.</summary>
    /// <value>Keys of 1 to 128 characters without <c>=</c>, values of at most 1,024; at most 256 labels a context. Default: none.</value>
    [Id(3)]
    public Dictionary<string, string> SetLabels { get; init; } = [];

    /// <summary>Gets keys of labels that are removed; one that is not there is none.</summary>
    /// <value>Default: none.</value>
    [Id(4)]
    public string[] RemoveLabels { get; init; } = [];

    /// <summary>Gets the only version that may be changed.</summary>
    /// <value>Default: <see langword="null"/>, the newest.</value>
    [Id(5)]
    public long? IfVersion { get; init; }

    /// <summary>Gets the id under which a change that is sent again counts once.</summary>
    /// <value>1 to 128 characters. Default: <see langword="null"/>, the SDK draws one.</value>
    /// <remarks>A context remembers those of the last two minutes, and its last 64 in any case.</remarks>
    [Id(6)]
    public string? OperationId { get; init; }
}
