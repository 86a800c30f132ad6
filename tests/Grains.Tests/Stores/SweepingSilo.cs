using Granary.Grains.Stores;
using Granary.Grains.Tests.Hosting;
using Granary.Stores;

namespace Granary.Grains.Tests.Stores;

/// <summary>A silo whose sweeps tests look at.</summary>
public abstract class SweepingSilo : OneSilo
{
    private GrainId Sweeper => Grains.GetGrain<ISweepGrain>("default").GetGrainId();

    /// <summary>Finds a reminder of the sweeper of the tenant <c>default</c>.</summary>
    public async Task<ReminderEntry?> FindAsync(string reminder) => (await Service<IReminderTable>().ReadRows(Sweeper)).Reminders.FirstOrDefault(entry => entry.ReminderName == reminder);

    /// <summary>Registers one, as a silo with other settings did.</summary>
    public Task RegisterAsync(string reminder) => Service<IReminderTable>().UpsertRow(new ReminderEntry
    {
        GrainId = Sweeper,
        ReminderName = reminder,
        StartAt = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1),
        Period = TimeSpan.FromHours(1),
    });
}

/// <summary>A silo that sweeps what nobody names at once.</summary>
public sealed class SweptSilo : SweepingSilo
{
    protected override void Configure(SweepOptions options) => options.Grace = TimeSpan.Zero;
}

/// <summary>A silo that does not sweep.</summary>
public sealed class UnsweptSilo : SweepingSilo
{
    protected override void Configure(SweepOptions options) => options.Period = TimeSpan.Zero;
}
