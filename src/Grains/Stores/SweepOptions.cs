using Granary.Storage.Maintenance;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Stores;

/// <summary>How stores are swept without being asked to. Bound to <c>Granary:Sweep</c>.</summary>
public sealed class SweepOptions
{
    /// <summary>Gets or sets how often a tenant's store is swept.</summary>
    /// <value>At least a minute, or 0 for never; a tenant whose sweeps are scheduled already keeps its period. Default: an hour.</value>
    public TimeSpan Period { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Gets or sets how old a chunk that nobody names, or a tombstone, must be to be deleted: longer than any creation takes.</summary>
    /// <value>Default: a day.</value>
    public TimeSpan Grace { get; set; } = StoreSweepOptions.DefaultGrace;

    /// <summary>Gets or sets the deletes a second, at most.</summary>
    /// <value>Default: 100.</value>
    public int DeletesPerSecond { get; set; } = StoreSweepOptions.DefaultDeletesPerSecond;
}

/// <summary>Refuses what cannot be kept, before the silo starts.</summary>
internal sealed class SweepOptionsValidator : IValidateOptions<SweepOptions>
{
    private static readonly TimeSpan LeastPeriod = TimeSpan.FromMinutes(1); // a reminder's

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, SweepOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (options.Period != TimeSpan.Zero && options.Period < LeastPeriod)
        {
            faults.AddError($"is {options.Period}. Give at least {LeastPeriod}, or 00:00:00 for never.", "Granary:Sweep:Period");
        }

        if (options.Grace < TimeSpan.Zero)
        {
            faults.AddError($"is {options.Grace}. Give 00:00:00 or more.", "Granary:Sweep:Grace");
        }

        if (options.DeletesPerSecond < 1)
        {
            faults.AddError($"is {options.DeletesPerSecond}. Give at least 1.", "Granary:Sweep:DeletesPerSecond");
        }

        return faults.Build();
    }
}
