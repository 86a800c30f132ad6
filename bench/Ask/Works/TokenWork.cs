using Granary.Bench.Ask.Silos;

namespace Granary.Bench.Ask.Works;

/// <summary>What a streamed token costs beyond the engine's own at full speed, and what a first one does: an ask beside the same work of the same engine alone.</summary>
internal static class TokenWork
{
    private const double MostMicrosecondsInProcess = 100;
    private const double MostMicrosecondsOverLoopback = 150;
    private const double MostFirstMilliseconds = 3;

    /// <summary>Runs all rounds; of each place, engine and ask take turns in going first.</summary>
    public static async Task<IReadOnlyList<BenchRow>> RunAsync(BenchOptions options, IReadOnlyList<Place> places, CancellationToken cancellationToken)
    {
        var samples = places.Select(static _ => (Ours: new List<AnswerTimes>(), Engine: new List<AnswerTimes>())).ToList();
        for (var round = 0; round <= options.Rounds; round++)
        {
            foreach (var (place, (ours, engine)) in places.Zip(samples))
            {
                var engineFirst = round % 2 == 1;
                var before = engineFirst ? await AloneAsync(place) : null;
                var ask = await Answers.TimeAsync(place.Context, options.Tokens, cancellationToken);
                var alone = before ?? await AloneAsync(place);
                if (!ask.TokenIds.SequenceEqual(alone.TokenIds))
                {
                    throw new InvalidOperationException($"The engine alone gives other tokens than an ask {place.Name}.");
                }

                if (round > 0)
                {
                    ours.Add(ask);
                    engine.Add(alone);
                }
            }
        }

        return [.. places.Zip(samples).SelectMany(pair => Rows(pair.First.Name, pair.Second.Ours, pair.Second.Engine, options.Tokens))];

        Task<AnswerTimes> AloneAsync(Place place) => place.Cluster.Engine.GenerateAsync(Answers.Prompt, options.Tokens);
    }

    private static IEnumerable<BenchRow> Rows(string place, List<AnswerTimes> ours, List<AnswerTimes> engine, int tokens)
    {
        var isLocal = place == "in process";
        yield return Row($"a token of {tokens} at full speed, {place}", "µs", times => times.Seconds / tokens * 1e6) with
        {
            Target = isLocal ? MostMicrosecondsInProcess : MostMicrosecondsOverLoopback,
        };
        yield return Row($"first token, {place}", "ms", static times => times.FirstSeconds * 1e3) with { Target = MostFirstMilliseconds };
        if (isLocal)
        {
            // Silo and client are this one process.
            yield return Row("a token's processor time, all threads", "µs", times => times.ProcessorSeconds / tokens * 1e6);
            yield return Row("allocated by a token", "bytes", times => (double)times.AllocatedBytes / tokens);
        }

        BenchRow Row(string what, string unit, Func<AnswerTimes, double> select) => new()
        {
            Work = "token",
            What = what,
            Unit = unit,
            Samples = [.. ours.Select(select)],
            Against = "the engine alone",
            AgainstSamples = [.. engine.Select(select)],
            IsDifference = true,
        };
    }
}
