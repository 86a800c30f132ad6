namespace Granary.Contexts;

/// <summary>Asks for a context's pages in device memory.</summary>
[GenerateSerializer, Immutable, Alias("granary.warm")]
public sealed record WarmRequest
{
    /// <summary>Gets whether stored pages are loaded in any case, or where that is quicker.</summary>
    [Id(0)]
    public PlanChoice Plan { get; init; }

    /// <summary>Gets whether it yields to interactive work.</summary>
    [Id(1)]
    public bool Batch { get; init; }
}
