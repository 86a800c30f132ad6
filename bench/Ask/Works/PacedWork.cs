using Granary.Bench.Common;
using Granary.Contexts;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Ask.Works;

/// <summary>How long a token that comes alone is under way: from the end of its step to the caller, beside the same tokens of the same engine by a bare Orleans stream.</summary>
/// <remarks>What the engine does after a step (choosing the token, decoding its text) counts on both sides. An element that a grain makes in its own turn, beside an engine at rest, is a third measurement.</remarks>
internal static class PacedWork
{
    private const int Elements = 40;
    private const double MostTimesBare = 1.25;
    private const double Tail = 0.99;

    /// <summary>Runs all rounds; of each place, stream and ask take turns in going first.</summary>
    public static async Task<IReadOnlyList<BenchRow>> RunAsync(BenchOptions options, IReadOnlyList<Place> places, CancellationToken cancellationToken)
    {
        var samples = places.Select(static _ => (Ours: new List<double[]>(), Bare: new List<double[]>(), Made: new List<double[]>(), HandOver: new List<double[]>())).ToList();
        for (var round = 0; round <= options.Rounds; round++)
        {
            foreach (var (place, (ours, bare, made, handOver)) in places.Zip(samples))
            {
                var bareFirst = round % 2 == 1;
                var before = bareFirst ? await BareAsync(place) : null;
                var ask = await AskAsync(place);
                var stream = before ?? await BareAsync(place);
                var elements = await MadeAsync(place.Cluster.Engine.StreamAsync(Elements, options.Pace, cancellationToken));
                var handed = await place.Cluster.Engine.HandOverAsync(Answers.Prompt, Elements, options.Pace);
                if (round > 0)
                {
                    ours.Add(ask);
                    bare.Add(stream);
                    made.Add(elements);
                    handOver.Add(handed);
                }
            }
        }

        return [.. places.Zip(samples).SelectMany(pair => Rows(pair.First.Name, pair.Second.Ours, pair.Second.Bare, pair.Second.Made, pair.Second.HandOver))];

        async Task<double[]> MadeAsync(IAsyncEnumerable<long> stream)
        {
            var under = new List<double>();
            await foreach (var made in stream.WithCancellation(cancellationToken))
            {
                under.Add(TimeProvider.System.GetElapsedTime(made).TotalMicroseconds);
            }

            return [.. under.Skip(1)];
        }

        Task<double[]> BareAsync(Place place) => PacedAsync(place, place.Cluster.Engine.StreamTokensAsync(Answers.Prompt, Elements, cancellationToken));

        Task<double[]> AskAsync(Place place)
        {
            var request = new AskRequest { Prompt = TokenInput.OfTokens(Answers.Prompt), Options = new GenerationOptions { MaxNewTokens = Elements, IgnoreEos = true } };
            return PacedAsync(place, place.Context.AskAsync(request, cancellationToken).Where(static part => part.Token is not null));
        }

        async Task<double[]> PacedAsync<T>(Place place, IAsyncEnumerable<T> tokens)
        {
            var came = new List<long>();
            long[] made;
            await place.Cluster.Engine.BeginPaceAsync(options.Pace);
            try
            {
                await foreach (var _ in tokens.WithCancellation(cancellationToken))
                {
                    came.Add(TimeProvider.System.GetTimestamp());
                }
            }
            finally
            {
                made = await place.Cluster.Engine.EndPaceAsync();
            }

            // The prompt's step gives the first token; a stamp of another step would shift all others.
            return made.Length == Elements && came.Count == Elements
                ? [.. made.Zip(came, static (from, until) => TimeProvider.System.GetElapsedTime(from, until).TotalMicroseconds).Skip(1)]
                : throw new BenchException($"{made.Length} steps and {came.Count} tokens of {Elements}: something else ran on the engine.");
        }
    }

    private static IEnumerable<BenchRow> Rows(string place, List<double[]> ours, List<double[]> bare, List<double[]> made, List<double[]> handOver)
    {
        yield return Row("median", Samples.Median, "by a bare Orleans stream", bare) with { Target = MostTimesBare };
        yield return Row("99th", static sorted => sorted[(int)Math.Ceiling(sorted.Length * Tail) - 1], "by a bare Orleans stream", bare);
        yield return Row("median", Samples.Median, "made in a grain's turn", made) with { Target = MostTimesBare };
        yield return Row("median", Samples.Median, "the engine's own part", handOver) with { IsDifference = true };

        BenchRow Row(string name, Func<double[], double> select, string against, List<double[]> rival) => new()
        {
            Work = "paced",
            What = $"under way, {name} of a round, {place}",
            Unit = "µs",
            Samples = [.. ours.Select(round => select([.. round.Order()]))],
            Against = against,
            AgainstSamples = [.. rival.Select(round => select([.. round.Order()]))],
        };
    }
}
