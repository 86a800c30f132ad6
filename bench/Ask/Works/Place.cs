using Granary.Bench.Ask.Silos;
using Granary.Client;
using Granary.Storage.Objects;

namespace Granary.Bench.Ask.Works;

/// <summary>One silo with one resident context, which the bench's grain has computed too: in this process, or in one of its own over loopback.</summary>
internal sealed class Place(string name, BenchCluster cluster, IGranaryContext context) : IAsyncDisposable
{
    private const int ContextTokens = 128;
    private const int WarmUpAsks = 100; // a method is compiled well after thirty calls
    private const int WarmUpTokens = 4;

    public string Name => name;

    public BenchCluster Cluster => cluster;

    public IGranaryContext Context => context;

    /// <summary>Starts both places.</summary>
    public static async Task<IReadOnlyList<Place>> StartAsync(BenchOptions options, string folder, CancellationToken cancellationToken)
    {
        var places = new List<Place>();
        try
        {
            places.Add(await MakeAsync("in process", await BenchCluster.StartEmbeddedAsync(options.Model, options.Threads, new InMemoryObjectStore(TimeProvider.System), cancellationToken)));
            places.Add(await MakeAsync("over loopback", await BenchCluster.StartProcessesAsync(options.Model, options.Threads, folder, null, 1, cancellationToken)));
            return places;
        }
        catch
        {
            await EndAsync(places);
            throw;
        }

        async Task<Place> MakeAsync(string name, BenchCluster cluster)
        {
            try
            {
                var ids = Answers.ContextIds(ContextTokens);
                var context = await cluster.CreateAsync("streamed", ids, cancellationToken);
                await cluster.Engine.PrefillAsync(options.Model, ids);
                await WarmUpAsync(cluster, context);
                return new Place(name, cluster, context);
            }
            catch
            {
                await cluster.DisposeAsync();
                throw;
            }
        }

        // A service has been asked before: what an ask costs while its code is compiled is another question.
        async Task WarmUpAsync(BenchCluster cluster, IGranaryContext context)
        {
            for (var ask = 0; ask < WarmUpAsks; ask++)
            {
                await Answers.TimeAsync(context, WarmUpTokens, cancellationToken);
                await cluster.Engine.GenerateAsync(Answers.Prompt, WarmUpTokens);
            }
        }
    }

    /// <summary>Stops places.</summary>
    public static async Task EndAsync(IReadOnlyList<Place> places)
    {
        foreach (var place in places)
        {
            await place.DisposeAsync();
        }
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();
}
