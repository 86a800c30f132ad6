using Granary.Client;
using Granary.Errors;
using Granary.Stores;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>Sweeps one time after the other: what clients delete and outgrow is collected while they create, fork and append.</summary>
internal sealed class ChaosSweeper(IGranaryClient client, ChaosLedger ledger, TimeSpan grace)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>Gets the sweeps that ended.</summary>
    public int Ended { get; private set; }

    /// <summary>Gets the contexts whose time was over.</summary>
    public int Expired { get; private set; }

    /// <summary>Gets the tombstones that have gone.</summary>
    public int Tombstones { get; private set; }

    /// <summary>Gets the chunks that have gone.</summary>
    public int Chunks { get; private set; }

    /// <summary>Sweeps until it is told to stop; what is under way then is ended.</summary>
    public async Task RunAsync(CancellationToken stopping, CancellationToken cancellationToken)
    {
        while (!stopping.IsCancellationRequested)
        {
            await Task.Delay(Pause, TimeProvider.System, cancellationToken);
            await SweepAsync(cancellationToken);
        }
    }

    public override string ToString() => $"{Ended} sweeps: {Expired} contexts expired, {Tombstones} tombstones and {Chunks} chunks deleted";

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            var last = await client.Store().SweepAsync(new StoreSweepRequest(DryRun: false, grace), cancellationToken).LastAsync(cancellationToken);
            if (last.Result is not { } result)
            {
                ledger.Violate("a sweep ended without a result");
                return;
            }

            Ended++;
            Expired += result.Expired;
            Tombstones += result.Tombstones;
            Chunks += result.DeletedChunks;
            foreach (var manifest in result.Unreadable)
            {
                ledger.Violate($"a sweep could not read '{manifest}'");
            }
        }
        catch (GranaryException e)
        {
            ledger.Violate($"sweep: {e.Code}, {e.Message}");
        }
    }
}
