namespace Granary.Storage.Chunks;

/// <summary>Why a stored chunk was not used; never an error, always a recompute (invariants 1 and 3).</summary>
public enum ChunkFault
{
    /// <summary>There is none.</summary>
    Absent,

    /// <summary>It is longer or shorter than it must be.</summary>
    Length,

    /// <summary>Its header is not the canonical one for what was asked.</summary>
    Header,

    /// <summary>Its token ids are others.</summary>
    Tokens,

    /// <summary>Its data does not have the checksum that its header or the manifest states.</summary>
    Checksum,
}

/// <summary>How faults are named where they are counted and told.</summary>
public static class ChunkFaults
{
    /// <summary>Gets a fault's name, a tag of the counter and a reason in reports.</summary>
    /// <param name="fault">The fault.</param>
    /// <returns><c>absent</c>, <c>length</c>, <c>header</c>, <c>tokens</c> or <c>checksum</c>.</returns>
    public static string Name(this ChunkFault fault) => fault.ToString().ToLowerInvariant();
}
