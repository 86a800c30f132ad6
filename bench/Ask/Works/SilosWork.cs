using System.Globalization;
using Granary.Bench.Ask.Silos;
using Granary.Bench.Common;
using Granary.Client;
using Granary.Inference.Benchmarks;
using Granary.Testing.Servers;

namespace Granary.Bench.Ask.Works;

/// <summary>What two silos answer on as many cores as one: asks at once, each over a context of its own.</summary>
internal static class SilosWork
{
    private const double LeastTimesOne = 0.9;
    private const int ContextTokens = 128;
    private const int Silos = 2;
    private const int MostTimesCreated = 4;

    /// <summary>Runs all rounds; one silo and two take turns in going first.</summary>
    public static async Task<IReadOnlyList<BenchRow>> RunAsync(BenchOptions options, string folder, CancellationToken cancellationToken)
    {
        if (RedisServer.FindExecutable() is null)
        {
            throw new BenchException("Two silos need Redis, which is not in .tools/. Run build/fetch-parts, or leave the work out (--works).");
        }

        var redis = new RedisServer();
        await using var redisEnds = redis;
        await redis.InitializeAsync();
        await using var one = await StartAsync("one", 1, options.Threads);
        await using var two = await StartAsync("two", Silos, Math.Max(1, options.Threads / Silos));
        var ofOne = await CreateAsync(one, options.Asks, cancellationToken);
        var (placed, even, spread) = await CreateSpreadAsync(two, options.Asks, cancellationToken);
        List<double> single = [], asPlaced = [], asEven = [];
        for (var round = 0; round <= options.Rounds; round++)
        {
            List<(IReadOnlyList<IGranaryContext> Asked, List<double> Samples)> works = [(ofOne, single), (placed, asPlaced), (even, asEven)];
            foreach (var (asked, samples) in round % 2 == 1 ? works : Enumerable.Reverse(works))
            {
                var rate = await TimeAsync(asked);
                if (round > 0)
                {
                    samples.Add(rate);
                }
            }
        }

        return [Row($"as placed ({spread})", asPlaced), Row("half on each", asEven)];

        BenchRow Row(string where, List<double> samples) => new()
        {
            Work = "silos",
            What = string.Create(CultureInfo.InvariantCulture, $"{options.Asks} asks of {options.Tokens}, two silos, {where}"),
            Unit = "tokens/s",
            Samples = samples,
            Against = string.Create(CultureInfo.InvariantCulture, $"one silo, {options.Threads} threads"),
            AgainstSamples = single,
            MoreIsBetter = true,
            Target = LeastTimesOne,
        };

        Task<BenchCluster> StartAsync(string name, int count, int threads) =>
            BenchCluster.StartProcessesAsync(options.Model, threads, Path.Combine(folder, name), $"redis://{redis.Address}/{name}", count, cancellationToken);

        async Task<double> TimeAsync(IReadOnlyList<IGranaryContext> asked)
        {
            var seconds = await Clock.TimeAsync(() => Task.WhenAll(asked.Select(context => Answers.TimeAsync(context, options.Tokens, cancellationToken))));
            return asked.Count * options.Tokens / seconds;
        }
    }

    private static async Task<IReadOnlyList<IGranaryContext>> CreateAsync(BenchCluster cluster, int count, CancellationToken cancellationToken)
    {
        var created = new List<IGranaryContext>();
        while (created.Count < count)
        {
            created.Add(await CreateOneAsync(cluster, created.Count, cancellationToken));
        }

        return created;
    }

    // The first contexts wherever they were placed, and as many of all that lie evenly. Placement looks at bytes and not at asks, so some more are made.
    private static async Task<(IReadOnlyList<IGranaryContext> Placed, IReadOnlyList<IGranaryContext> Even, string Spread)> CreateSpreadAsync(
        BenchCluster cluster, int count, CancellationToken cancellationToken)
    {
        var bySilo = Enumerable.Range(0, Silos).Select(static _ => new List<IGranaryContext>()).ToArray();
        var (placed, spread) = (new List<IGranaryContext>(), "");
        for (var index = 0; placed.Count < count || bySilo.Any(contexts => contexts.Count < count / Silos); index++)
        {
            if (index == count * MostTimesCreated)
            {
                throw new BenchException($"{index} contexts were made, and one of two silos has fewer than {count / Silos} of them.");
            }

            var context = await CreateOneAsync(cluster, index, cancellationToken);
            var held = await cluster.Client.Cluster.ListSilosAsync(cancellationToken);
            var silo = held.Select(static (described, at) => (described.Contexts, At: at)).First(found => found.Contexts > bySilo[found.At].Count).At;
            bySilo[silo].Add(context);
            if (placed.Count < count)
            {
                placed.Add(context);
                spread = string.Join(" + ", bySilo.Select(static contexts => contexts.Count));
            }
        }

        return (placed, [.. bySilo.SelectMany(contexts => contexts.Take(count / Silos))], spread);
    }

    private static Task<IGranaryContext> CreateOneAsync(BenchCluster cluster, int index, CancellationToken cancellationToken) =>
        cluster.CreateAsync(string.Create(CultureInfo.InvariantCulture, $"silos-{index}"), Answers.ContextIds(ContextTokens, index), cancellationToken);
}
