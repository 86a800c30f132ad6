namespace Granary.Stores;

/// <summary>Looks after what the store holds of a tenant: finds what cannot be trusted, expires contexts, collects what nobody names. Key: the tenant. It keeps no state.</summary>
[Alias("granary.ISweepGrain")]
public interface ISweepGrain : IGrainWithStringKey
{
    /// <summary>Has the tenant swept from time to time, as the silo's settings say, from now on and whatever becomes of this silo.</summary>
    /// <returns>When that is sure.</returns>
    [Alias("Schedule")]
    Task ScheduleAsync();

    /// <summary>Reads everything and checks it, or joins a check that runs the same way.</summary>
    /// <param name="repair">Whether what is bad is taken away, so that the next use computes it anew.</param>
    /// <param name="cancellationToken">Leaves; the last one leaving ends the check.</param>
    /// <returns>Progress; the last element has the result.</returns>
    [Alias("Check")]
    IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair, CancellationToken cancellationToken = default);

    /// <summary>Sweeps, or joins a sweep that runs the same way.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Leaves; the last one leaving ends the sweep.</param>
    /// <returns>Progress; the last element has the result.</returns>
    [Alias("Sweep")]
    IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken = default);
}
