using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Stores;
using Granary.Testing;
using Granary.Testing.Proxies;

namespace Granary.Grains.Tests.Stores;

/// <summary>Sweeps race creates, growth and deletes of three tenants, two of whom share, through a proxy that delays and drops answers: no live context loses a chunk or its ids, and nothing stays in the end.</summary>
[Collection("Engine")]
public sealed class SweepRaceTests(FaultyAzureSilo silo) : IClassFixture<FaultyAzureSilo>
{
    private static readonly string[] Tenants = ["default", "acme", "beta"];
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2); // longer than the store's tries of one request take here
    private static readonly TimeSpan Lasts = LongForm.Wanted ? TimeSpan.FromMinutes(2) : TimeSpan.FromSeconds(12);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact, Trait("Invariant", "2")]
    public async Task Sweep_BesideCreatesGrowthAndDeletes_TakesNothingThatIsNamedAndAllThatIsNot()
    {
        Needs.Azurite();
        silo.Faults = new SeededFaults(7, share: 0.1);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        using var failures = new TokenCount("granary.integrity.failures");
        var sweeping = Task.WhenAll(Tenants.Append("shared").Select(owner => Task.Run(() => SweepUntilAsync(owner, ending.Token), Stopping)));
        var lives = await Task.WhenAll(Tenants.Concat(Tenants).Select((tenant, writer) => Task.Run(() => WriteAsync(tenant, writer), Stopping)));
        await ending.CancelAsync();
        var sweeps = (await sweeping).Min();
        var faults = silo.Faults.Count;
        silo.Faults = null;

        Assert.True(sweeps > 3 && faults > 20, $"{sweeps} sweeps and {faults} faults are no race.");
        Assert.Equal(0, failures.Total); // a chunk that a context names was never missing
        Assert.Contains(lives, static life => life.Count > 0);
        foreach (var (tenant, name, ids) in lives.SelectMany(static life => life))
        {
            var answer = await AskColdAsync(silo.Context(name, tenant));
            Assert.Equal((ids, 0), (answer.Usage.ContextTokens, answer.Usage.RecomputedTokens));
        }

        foreach (var tenant in Tenants)
        {
            Assert.Equal(0, (await silo.Grains.GetGrain<ISweepGrain>(tenant).CheckAsync(repair: false, Stopping).LastAsync(Stopping)).Result!.FaultCount);
        }

        foreach (var (tenant, name, _) in lives.SelectMany(static life => life))
        {
            await silo.Context(name, tenant).DeleteAsync();
        }

        await Task.Delay(Grace + Grace, TimeProvider.System, Stopping);
        foreach (var owner in Tenants.Append("shared"))
        {
            await SweepAsync(owner, Stopping);
        }

        Assert.Empty(await silo.Steady.ListAsync("chunks/", Stopping).ToListAsync(Stopping));
        Assert.Empty(await silo.Steady.ListAsync("tokens/", Stopping).ToListAsync(Stopping));
        Assert.Empty(await silo.Steady.ListAsync("contexts/", Stopping).ToListAsync(Stopping));
    }

    // What is left alive in the end, with its tokens.
    private async Task<List<(string Tenant, string Name, int Tokens)>> WriteAsync(string tenant, int writer)
    {
        var random = new Random(writer + tenant.Length);
        var alive = new Dictionary<string, int>();
        for (var (turn, started) = (0, TimeProvider.System.GetTimestamp()); TimeProvider.System.GetElapsedTime(started) < Lasts; turn++)
        {
            var name = $"w{writer}-{random.Next(4)}";
            var context = silo.Context(name, tenant);
            if (!alive.TryGetValue(name, out var tokens))
            {
                int[] ids = [.. OneSilo.Ids(300, 90 + random.Next(3)), .. OneSilo.Ids(10 + random.Next(60), turn)]; // one of three prefixes, whoever writes
                await RepeatAsync(() => OneSilo.CreateAsync(context, TokenInput.OfTokens(ids)));
                alive[name] = ids.Length;
            }
            else if (random.Next(3) == 0)
            {
                await RepeatAsync(() => AskColdAsync(context)); // where a chunk is missing, integrity.failures says so
            }
            else if (tokens < 900 && random.Next(3) > 0)
            {
                alive[name] = await RepeatAsync(() => GrowAsync(context, tokens, OneSilo.Ids(40, turn)));
            }
            else
            {
                await RepeatAsync(() => DeleteAsync(context));
                alive.Remove(name);
            }
        }

        return [.. alive.Select(context => (tenant, context.Key, context.Value))];
    }

    private static async Task<Answer> AskColdAsync(IContextGrain context)
    {
        await context.EvictAsync();
        return await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = TokenInput.OfTokens(5), Options = new GenerationOptions { MaxNewTokens = 1 } }, Stopping));
    }

    // An attempt whose answer was lost may have grown it: it is not done twice.
    private static async Task<int> GrowAsync(IContextGrain context, int tokens, int[] added)
    {
        var now = await context.GetAsync();
        if (now.Tokens == tokens)
        {
            now = (await context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(added), IfVersion = now.Version }, Stopping).LastAsync(Stopping)).Result!.Context;
        }

        return now.Tokens == tokens + added.Length ? now.Tokens : throw new InvalidOperationException($"{now.Tokens} tokens, {tokens} and {added.Length} are right.");
    }

    private static async Task<bool> DeleteAsync(IContextGrain context)
    {
        try
        {
            await context.DeleteAsync();
        }
        catch (GranaryException e) when (e.Code == ErrorCodes.ContextNotFound)
        {
            // An attempt whose answer was lost has deleted it.
        }

        return true;
    }

    private async Task<int> SweepUntilAsync(string owner, CancellationToken ending)
    {
        var sweeps = 0;
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await SweepAsync(owner, ending);
                sweeps++;
            }
            catch (Exception e) when (e is OperationCanceledException or GranaryException { Code: ErrorCodes.StoreUnavailable })
            {
                // The next one goes on.
            }
        }

        return sweeps;
    }

    private async Task SweepAsync(string owner, CancellationToken cancellationToken) =>
        await silo.Grains.GetGrain<ISweepGrain>(owner).SweepAsync(new StoreSweepRequest(DryRun: false, Grace, 10_000), cancellationToken).LastAsync(cancellationToken);

    private static async Task<T> RepeatAsync<T>(Func<Task<T>> act)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await act();
            }
            catch (GranaryException e) when (attempt < 20 && e.Code is ErrorCodes.StoreUnavailable or ErrorCodes.Unavailable)
            {
            }
        }
    }
}
