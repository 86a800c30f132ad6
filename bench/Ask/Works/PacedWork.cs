using Granary.Bench.Common;
using Granary.Contexts;
using Granary.Inference.Benchmarks;

namespace Granary.Bench.Ask.Works;

/// <summary>How long a token that comes alone is under way: from the end of its step to the caller, beside an element of a bare Orleans stream of the same pace.</summary>
/// <remarks>What the engine does after a step (choosing the token, decoding its text) counts as ours; a bare element is stamped as it is handed over.</remarks>
internal static class PacedWork
{
    private const int Elements = 40;
    private const double MostTimesBare = 1.25;
    private const double Tail = 0.99;

    /// <summary>Runs all rounds; of each place, stream and ask take turns in going first.</summary>
    public static async Task<IReadOnlyList<BenchRow>> RunAsync(BenchOptions options, IReadOnlyList<Place> places, CancellationToken cancellationToken)
    {
        var samples = places.Select(static _ => (Ours: new List<double[]>(), Bare: new List<double[]>(), Fed: new List<double[]>(), HandOver: new List<double[]>())).ToList();
        for (var round = 0; round <= options.Rounds; round++)
        {
            foreach (var (place, (ours, bare, fed, handOver)) in places.Zip(samples))
            {
                var bareFirst = round % 2 == 1;
                var before = bareFirst ? await StreamAsync(place.Cluster.Engine.StreamAsync(Elements, options.Pace, cancellationToken)) : null;
                var ask = await AskAsync(place);
                var stream = before ?? await StreamAsync(place.Cluster.Engine.StreamAsync(Elements, options.Pace, cancellationToken));
                var fedStream = await StreamAsync(place.Cluster.Engine.StreamFedAsync(Elements, options.Pace, cancellationToken));
                var handed = await place.Cluster.Engine.HandOverAsync(Answers.Prompt, Elements, options.Pace);
                if (round > 0)
                {
                    ours.Add(ask);
                    bare.Add(stream);
                    fed.Add(fedStream);
                    handOver.Add(handed);
                }
            }
        }

        return [.. places.Zip(samples).SelectMany(pair => Rows(pair.First.Name, pair.Second.Ours, pair.Second.Bare, pair.Second.Fed, pair.Second.HandOver))];

        async Task<double[]> StreamAsync(IAsyncEnumerable<long> stream)
        {
            var under = new List<double>();
            await foreach (var made in stream.WithCancellation(cancellationToken))
            {
                under.Add(TimeProvider.System.GetElapsedTime(made).TotalMicroseconds);
            }

            return [.. under.Skip(1)];
        }

        async Task<double[]> AskAsync(Place place)
        {
            var request = new AskRequest { Prompt = TokenInput.OfTokens(Answers.Prompt), Options = new GenerationOptions { MaxNewTokens = Elements, IgnoreEos = true } };
            var came = new List<long>();
            long[] made;
            await place.Cluster.Engine.BeginPaceAsync(options.Pace);
            try
            {
                await foreach (var part in place.Context.AskAsync(request, cancellationToken))
                {
                    if (part.Token is not null)
                    {
                        came.Add(TimeProvider.System.GetTimestamp());
                    }
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

    private static IEnumerable<BenchRow> Rows(string place, List<double[]> ours, List<double[]> bare, List<double[]> fed, List<double[]> handOver)
    {
        yield return Row("median", Samples.Median, "a bare Orleans stream", bare) with { Target = MostTimesBare };
        yield return Row("median", Samples.Median, "one that a thread feeds", fed);
        yield return Row("median", Samples.Median, "the engine's own part", handOver) with { IsDifference = true };
        yield return Row("99th", static sorted => sorted[(int)Math.Ceiling(sorted.Length * Tail) - 1], "a bare Orleans stream", bare);

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
