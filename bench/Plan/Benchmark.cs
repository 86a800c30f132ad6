using Granary.Client;
using Granary.Client.Contexts;
using Granary.Contexts;
using Granary.Inference.Benchmarks;
using Granary.Silo;
using Granary.Storage.Objects;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Bench.Plan;

/// <summary>The run: every round asks each context each way once, so that a disturbed moment touches all alike.</summary>
internal sealed class Benchmark(BenchOptions options, IGranaryClient client)
{
    private const string ModelId = "bench";
    private const int MostIds = 50_000;

    private static readonly AskRequest Question = new()
    {
        Prompt = TokenInput.OfTokens([11, 12, 13, 14, 15, 16, 17, 18]),
        Options = new GenerationOptions { MaxNewTokens = 1, IgnoreEos = true },
    };

    private readonly Random _random = new(1);

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        var store = new SlowedStore(ObjectStores.Open(options.Store, TimeProvider.System), options.Delay, options.BytesPerSecond);
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.AddGranaryEmbedded(
            new GranaryOptions { Models = { [ModelId] = new() { Path = options.Model, Dtype = options.Dtype } }, Engine = { Threads = options.Threads } },
            store);
        using var host = builder.Build();
        await host.StartAsync(cancellationToken);
        try
        {
            var rows = await new Benchmark(options, host.Services.GetRequiredService<IGranaryClient>()).MeasureAsync(cancellationToken);
            return new BenchReport { Started = started, LoadBefore = loadBefore, LoadAfter = MachineFacts.Load(), Options = options, Rows = rows };
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }

    private async Task<IReadOnlyList<BenchRow>> MeasureAsync(CancellationToken cancellationToken)
    {
        var rows = options.Tokens.Select(static tokens => new BenchRow(tokens)).ToArray();
        foreach (var row in rows)
        {
            var context = client.Context(ModelId, NameOf(row));
            await foreach (var _ in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(Ids(row.Tokens)) }, cancellationToken))
            {
            }
        }

        for (var round = 0; round <= options.Rounds; round++)
        {
            foreach (var row in rows)
            {
                await RunAsync(row, isTimed: round > 0, recomputeFirst: round % 2 == 1, cancellationToken);
            }
        }

        return rows;
    }

    private async Task RunAsync(BenchRow row, bool isTimed, bool recomputeFirst, CancellationToken cancellationToken)
    {
        var context = client.Context(ModelId, NameOf(row));
        await context.EvictAsync(cancellationToken);
        var before = recomputeFirst ? await RecomputeAsync() : null;
        var auto = await context.AskToEndAsync(Question, cancellationToken);
        var resident = await context.AskToEndAsync(Question, cancellationToken);
        var recompute = before ?? await RecomputeAsync();

        // Twice the same ids: what the first computed is not kept.
        var ids = TokenInput.OfTokens(Ids(row.Tokens));
        var unstored = await GenerateAsync(ids, noCache: recomputeFirst);
        var other = await GenerateAsync(ids, noCache: !recomputeFirst);
        if (!auto.TokenIds.SequenceEqual(recompute.TokenIds) || !auto.TokenIds.SequenceEqual(resident.TokenIds) || !unstored.TokenIds.SequenceEqual(other.TokenIds))
        {
            throw new InvalidOperationException($"Answers over {row.Tokens} tokens differ by the way they came.");
        }

        if (!isTimed)
        {
            return;
        }

        row.Auto.Add(auto.FirstTokenSeconds);
        row.Decisions.Add(auto.Plan.Decision);
        row.Recompute.Add(recompute.FirstTokenSeconds);
        row.Resident.Add(resident.FirstTokenSeconds);
        row.Unstored.Add((recomputeFirst ? other : unstored).FirstTokenSeconds);
        row.NoCache.Add((recomputeFirst ? unstored : other).FirstTokenSeconds);

        Task<Answer> RecomputeAsync() => context.AskToEndAsync(Question with { Plan = PlanChoice.Recompute }, cancellationToken);

        async Task<Answer> GenerateAsync(TokenInput input, bool noCache)
        {
            Answer? answer = null;
            var request = new GenerateRequest { Context = input, Prompt = Question.Prompt, Options = Question.Options, NoCache = noCache };
            await foreach (var part in client.GenerateAsync(ModelId, request, null, cancellationToken))
            {
                answer = part.Answer ?? answer;
            }

            return answer ?? throw new InvalidOperationException("The stream ended without an answer.");
        }
    }

    private static string NameOf(BenchRow row) => FormattableString.Invariant($"bench-{row.Tokens}");

    private int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(1, MostIds))];
}
