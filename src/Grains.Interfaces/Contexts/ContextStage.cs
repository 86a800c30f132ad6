namespace Granary.Contexts;

/// <summary>The stages of a context's creation, in order.</summary>
public enum ContextStage
{
    /// <summary>The ids are durable: the context will exist, whatever crashes.</summary>
    Accepted = 0,

    /// <summary>Pages are being computed.</summary>
    Prefilling = 1,

    /// <summary>All pages are in device memory; asks may start.</summary>
    Resident = 2,

    /// <summary>Everything is durable. This is the acknowledgement.</summary>
    Stored = 3,
}
