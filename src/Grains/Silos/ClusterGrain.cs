using Granary.Errors;
using Granary.Grains.Placement;
using Granary.Silos;
using Orleans.Concurrency;

namespace Granary.Grains.Silos;

/// <summary>Answers from what the silos tell, asked anew.</summary>
[AvoidDraining, Reentrant]
internal sealed class ClusterGrain(SiloInventory inventory, IClusterMembershipService membership, ISiloInventoryClient services, TimeProvider time) : Grain, IClusterGrain
{
    private static readonly TimeSpan MostAnswer = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public async Task<SiloDescription[]> ListSilosAsync()
    {
        var silos = await Task.WhenAll(ListActive().Select(async known =>
            await AskAsync(services.Of(known.Key).GetStockAsync()) is { } now ? Describe(known.Key, now) : Describe(known.Key, known.Value, answers: false)));
        return [.. silos.OrderBy(static silo => silo.Silo, StringComparer.Ordinal).ThenBy(static silo => silo.Address, StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public async Task<SiloDescription> DrainSiloAsync(string silo)
    {
        var address = Find(silo);
        return await AskAsync(services.Of(address).DrainAsync()) is { } now
            ? Describe(address, now)
            : throw new GranaryException(ErrorCodes.Unavailable, $"Silo '{silo}' at {address} does not answer.", "Try again; a silo that died is dropped by the others soon.");
    }

    // A silo that has left is known until the next round of the gossip.
    private Dictionary<SiloAddress, SiloStock> ListActive() =>
        inventory.Stocks.Where(known => membership.CurrentSnapshot.GetSiloStatus(known.Key) == SiloStatus.Active).ToDictionary();

    private SiloAddress Find(string silo)
    {
        var stocks = ListActive();
        var found = stocks.Where(known => known.Value.Name == silo || known.Key.ToString() == silo).Select(static known => known.Key).ToArray();
        return found switch
        {
            [var only] => only,
            [] => throw new GranaryException(
                ErrorCodes.SiloNotFound,
                $"There is no silo '{silo}'; there are {string.Join(", ", stocks.Values.Select(static stock => stock.Name).Order(StringComparer.Ordinal))}.",
                "Name one of these; granary cluster status tells more."),
            _ => throw new GranaryException(ErrorCodes.InvalidArgument, $"{found.Length} silos are named '{silo}'.", $"Give an address: {string.Join(", ", found.Select(static address => address.ToString()))}."),
        };
    }

    private async Task<SiloStock?> AskAsync(Task<SiloStock> asked)
    {
        try
        {
            return await asked.WaitAsync(MostAnswer, time);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            return null;
        }
    }

    private static SiloDescription Describe(SiloAddress address, SiloStock stock, bool answers = true) => new()
    {
        Silo = stock.Name,
        Address = address.ToString(),
        State = stock.Drained ? SiloStates.Drained : !answers ? SiloStates.Silent : stock.Draining ? SiloStates.Draining : SiloStates.Serving,
        Role = stock.Role,
        Models = [.. (stock.Numerics ?? []).Select(static served => new SiloModel(served.Model, served.Id, served.Exact)).OrderBy(static model => model.Model, StringComparer.Ordinal)],
        BudgetBytes = stock.BudgetBytes,
        ResidentBytes = Math.Max(0, stock.BudgetBytes - stock.FreeBytes),
        Contexts = stock.Contexts,
        Streams = stock.Streams,
        PrefilledTokens = stock.PrefilledTokens,
        Leases = stock.Leases,
        Waiting = stock.Waiting,
        Queued = stock.Queued,
        AllocatedBytes = stock.AllocatedBytes,
    };
}
