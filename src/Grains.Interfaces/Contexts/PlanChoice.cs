namespace Granary.Contexts;

/// <summary>Whether a stored prefix is loaded or recomputed.</summary>
public enum PlanChoice
{
    /// <summary>Whatever is quicker.</summary>
    Auto = 0,

    /// <summary>Loaded where it is stored.</summary>
    Load = 1,

    /// <summary>Recomputed, resident and stored pages are left alone.</summary>
    Recompute = 2,
}
