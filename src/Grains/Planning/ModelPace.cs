namespace Granary.Grains.Planning;

/// <summary>What is known of one model on this silo: how fast its pages are computed, and what was decided last.</summary>
internal sealed class ModelPace
{
    private volatile bool _loads = true;

    /// <summary>Gets how fast its pages are computed.</summary>
    public PrefillSpeed Prefill { get; } = new();

    /// <summary>Gets or sets whether stored pages were loaded last, which holds until the other way is clearly quicker.</summary>
    public bool Loads
    {
        get => _loads;
        set => _loads = value;
    }
}
