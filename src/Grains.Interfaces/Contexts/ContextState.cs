namespace Granary.Contexts;

/// <summary>Where a context is in its life (DESIGN §2, §5).</summary>
public enum ContextState
{
    /// <summary>There is no such context.</summary>
    Absent = 0,

    /// <summary>Its ids are committed; its pages are being computed.</summary>
    Accepted = 1,

    /// <summary>Its pages are being read back or recomputed.</summary>
    Loading = 2,

    /// <summary>Its pages are in device memory.</summary>
    Resident = 3,

    /// <summary>Its pages are in the store only.</summary>
    Cold = 4,

    /// <summary>A tombstone is being written.</summary>
    Deleting = 5,
}
