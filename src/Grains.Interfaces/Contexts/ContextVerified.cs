namespace Granary.Contexts;

/// <summary>What a context's stored KV and a fresh prefill of its token ids have in common. Nothing was changed.</summary>
[GenerateSerializer, Immutable, Alias("granary.context-verified")]
public sealed record ContextVerified
{
    /// <summary>Gets the context.</summary>
    [Id(0)]
    public required ContextDescription Context { get; init; }

    /// <summary>Gets whether all is right: every page is stored and equal, and so is the probe's answer where there is one.</summary>
    /// <remarks>Where <see cref="Exact"/> is false, pages are equal within <see cref="Tolerance"/>, and the answer need not be.</remarks>
    [Id(1)]
    public required bool Equal { get; init; }

    /// <summary>Gets the number of pages.</summary>
    [Id(2)]
    public required int Pages { get; init; }

    /// <summary>Gets how many of them are stored and equal.</summary>
    [Id(3)]
    public required int EqualPages { get; init; }

    /// <summary>Gets those that are not, in order.</summary>
    [Id(4)]
    public required VerifiedPage[] Faults { get; init; }

    /// <summary>Gets how many tokens were decoded after both copies, greedily, to compare them; 0 where a page could not be read or the window has no room.</summary>
    [Id(5)]
    public required int ProbeTokens { get; init; }

    /// <summary>Gets whether they were the same; <see langword="null"/> where none were decoded.</summary>
    [Id(6)]
    public required bool? ProbeEqual { get; init; }

    /// <summary>Gets the numerics id that was compared.</summary>
    [Id(7)]
    public required string Numerics { get; init; }

    /// <summary>Gets whether the promise of equal bits holds for it.</summary>
    [Id(8)]
    public required bool Exact { get; init; }

    /// <summary>Gets by how much a value may differ, of its size or of 1 where that is more; 0 where bits are compared.</summary>
    [Id(9)]
    public required double Tolerance { get; init; }

    /// <summary>Gets the time from the request's arrival at the grain.</summary>
    /// <value>Seconds.</value>
    [Id(10)]
    public required double Seconds { get; init; }
}
