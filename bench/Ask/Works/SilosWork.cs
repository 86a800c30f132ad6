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
        var contexts = (One: await CreateAsync(one), Two: await CreateAsync(two));
        List<double> ofOne = [], ofTwo = [];
        for (var round = 0; round <= options.Rounds; round++)
        {
            var oneFirst = round % 2 == 1;
            var before = oneFirst ? await TimeAsync(contexts.One) : 0;
            var both = await TimeAsync(contexts.Two);
            var single = oneFirst ? before : await TimeAsync(contexts.One);
            if (round > 0)
            {
                ofOne.Add(single);
                ofTwo.Add(both);
            }
        }

        var spread = string.Join(" + ", (await two.Client.Cluster.ListSilosAsync(cancellationToken)).Select(static silo => silo.Contexts).Order());
        return
        [
            new BenchRow
            {
                Work = "silos",
                What = string.Create(CultureInfo.InvariantCulture, $"{options.Asks} asks of {options.Tokens}, two silos ({spread} contexts)"),
                Unit = "tokens/s",
                Samples = ofTwo,
                Against = string.Create(CultureInfo.InvariantCulture, $"one silo, {options.Threads} threads"),
                AgainstSamples = ofOne,
                MoreIsBetter = true,
                Target = LeastTimesOne,
            },
        ];

        Task<BenchCluster> StartAsync(string name, int count, int threads) =>
            BenchCluster.StartProcessesAsync(options.Model, threads, Path.Combine(folder, name), $"redis://{redis.Address}/{name}", count, cancellationToken);

        async Task<IReadOnlyList<IGranaryContext>> CreateAsync(BenchCluster cluster)
        {
            var created = new List<IGranaryContext>();
            for (var index = 0; index < options.Asks; index++)
            {
                created.Add(await cluster.CreateAsync(string.Create(CultureInfo.InvariantCulture, $"silos-{index}"), Answers.ContextIds(ContextTokens, index), cancellationToken));
            }

            return created;
        }

        async Task<double> TimeAsync(IReadOnlyList<IGranaryContext> asked)
        {
            var seconds = await Clock.TimeAsync(() => Task.WhenAll(asked.Select(context => Answers.TimeAsync(context, options.Tokens, cancellationToken))));
            return asked.Count * options.Tokens / seconds;
        }
    }
}
