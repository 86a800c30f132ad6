namespace Granary.Datasets;

/// <summary>What one page of a context would take. Pages of one hash are one page, whichever contexts have it.</summary>
/// <param name="Hash">Its link of the hash chain, 64 hexadecimal digits.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="KvBytes">Its bytes in a device's memory.</param>
/// <param name="StoredBytes">Its bytes in the store, header included.</param>
/// <param name="IsStored">Whether the store has it already.</param>
/// <param name="PrefillSeconds">How long its computation is expected to take on the silo that was asked; <see langword="null"/> where that has measured nothing yet.</param>
[GenerateSerializer, Immutable, Alias("granary.page-estimate")]
public sealed record PageEstimate(
    [property: Id(0)] string Hash,
    [property: Id(1)] int Tokens,
    [property: Id(2)] long KvBytes,
    [property: Id(3)] long StoredBytes,
    [property: Id(4)] bool IsStored,
    [property: Id(5)] double? PrefillSeconds);
