namespace Granary.Grains.Draining;

/// <summary>How a silo leaves.</summary>
public sealed class DrainOptions
{
    /// <summary>Gets or sets how long running streams, and creations whose callers have left, may go on.</summary>
    /// <value>Zero or more. Default: 30 s.</value>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);
}
