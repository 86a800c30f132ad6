namespace Granary.Contexts;

/// <summary>Asks for a new context with the ids, and on the chunks, of another one of the same tenant and model.</summary>
[GenerateSerializer, Immutable, Alias("granary.fork")]
public sealed record ForkRequest
{
    /// <summary>Gets the name of the context that is forked.</summary>
    [Id(0)]
    public required string Parent { get; init; }

    /// <summary>Gets the only version of it that may be forked.</summary>
    /// <value>Default: <see langword="null"/>, the newest.</value>
    [Id(1)]
    public long? IfVersion { get; init; }

    /// <summary>Gets how long the new context lives.</summary>
    /// <value>Default: <see langword="null"/>, until it is deleted.</value>
    [Id(2)]
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Gets labels that are stored with the new context; those of its parent are not taken over.</summary>
    [Id(3)]
    public Dictionary<string, string> Labels { get; init; } = [];

    /// <summary>Gets whether a computation, where the store lacks chunks, yields to interactive work.</summary>
    [Id(4)]
    public bool Batch { get; init; }

    /// <summary>Gets the id under which a fork that is sent again counts once.</summary>
    /// <value>1 to 128 characters. Default: <see langword="null"/>, the SDK draws one.</value>
    [Id(5)]
    public string? OperationId { get; init; }

    /// <summary>Gets whether a hit starts <see cref="TimeToLive"/> anew.</summary>
    /// <value>Default: <see langword="false"/>.</value>
    [Id(6)]
    public bool RefreshOnHit { get; init; }
}
