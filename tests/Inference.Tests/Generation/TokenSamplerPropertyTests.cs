using System.Numerics.Tensors;
using CsCheck;
using Granary.Inference.Errors;
using Granary.Inference.Generation;

namespace Granary.Inference.Tests.Generation;

/// <summary>The sampler against oracles that sort the whole vocabulary and follow the papers word by word.</summary>
public sealed class TokenSamplerPropertyTests
{
    // Small whole numbers make ties, also at the highest logit and between 0 and -0; sizes cross every vector width and the first selection of a nucleus.
    private static readonly Gen<float> Logit = Gen.Frequency((3, Gen.Int[-2, 2].Select(static n => (float)n)), (1, Gen.Const(-0f)), (4, Gen.Float[-12, 6]));

    private static readonly Gen<float[]> Row = Gen.OneOf(Logit.Array[1, 40], Logit.Array[250, 1500], Gen.Int[-9, 0].Select(static n => (float)n).Array[1, 70]);

    private static readonly Gen<SamplingOptions> Sampled = Gen.Select(
        Gen.Double[0.05, 3], Gen.OneOf(Gen.Const((int?)null), Gen.Int[1, 1600].Select(static k => (int?)k), Gen.Int[1, 9].Select(static k => (int?)k)),
        Gen.OneOf(Gen.Const((double?)null), Gen.Double[0.001, 0.9999].Select(static p => (double?)p)), Gen.Long, Gen.Double[0.5, 3],
        static (temperature, topK, topP, seed, penalty) => new SamplingOptions
        {
            MaxNewTokens = 1,
            Temperature = temperature,
            TopK = topK,
            TopP = topP,
            Seed = seed,
            RepetitionPenalty = penalty,
        });

    [Fact]
    public void Choose_Greedy_TheLowestIdOfTheHighestLogit() => Row.Sample(row =>
        Assert.Equal(Array.FindIndex(row, logit => logit == row.Max()), new TokenSampler(new SamplingOptions { MaxNewTokens = 1 }).Choose(new LogitRow(row), 0)));

    [Fact]
    public void Choose_Sampled_IsTheOracles() => Gen.Select(Row, Sampled, Gen.Int[0, 100_000], Gen.Int.Array[0, 30]).Sample((row, options, position, drawn) =>
    {
        int[] seen = [.. drawn.Select(id => (int)((uint)id % row.Length))];
        var tokens = new SeenTokens(row.Length, seen.Length);
        tokens.Add(seen);
        Assert.Equal(Oracle(row, options, position, seen), new TokenSampler(options, tokens).Choose(new LogitRow(row), position));
    });

    [Fact]
    public void Choose_RowInDoubleOrElsewhereInMemory_TheSameToken() => Gen.Select(Row, Sampled, Gen.Int[0, 100_000], Gen.Int[1, 15]).Sample((row, options, position, offset) =>
    {
        double[] doubles = [.. row.Select(static logit => (double)logit)];
        float[] moved = [.. new float[offset], .. row];
        var sampler = new TokenSampler(options);
        var chosen = sampler.Choose(new LogitRow(row), position);
        Assert.Equal(chosen, sampler.Choose(new LogitRow(doubles), position));
        Assert.Equal(chosen, sampler.Choose(new LogitRow(moved.AsSpan(offset)), position));
        Assert.Equal(chosen, new TokenSampler(options).Choose(new LogitRow(row), position)); // what the sampler saw before does not matter
    });

    [Fact]
    public void Choose_GreedyWithPenalty_IsTheOracles() => Gen.Select(Row, Gen.Double[0.01, 100], Gen.Int.Array[0, 30]).Sample((row, penalty, drawn) =>
    {
        int[] seen = [.. drawn.Select(id => (int)((uint)id % row.Length))];
        var tokens = new SeenTokens(row.Length, seen.Length);
        tokens.Add(seen);
        var penalized = Penalized(row, penalty, seen);
        var sampler = new TokenSampler(new SamplingOptions { MaxNewTokens = 1, RepetitionPenalty = penalty }, tokens);
        Assert.Equal(Array.FindIndex(penalized, logit => logit == penalized.Max()), sampler.Choose(new LogitRow(row), 0));
    });

    [Fact]
    public void Normalizer_AnyRow_IsTheOraclesAndTheSameBitsWhereverTheRowLies() => Gen.Select(Row, Gen.Int[1, 15]).Sample((row, offset) =>
    {
        var normalizer = LogProbabilities.Normalizer(new LogitRow(row));
        var highest = (double)row.Max();
        Assert.Equal(highest + Math.Log(row.Sum(logit => Math.Exp(logit - highest))), normalizer, 1e-12);
        float[] moved = [.. new float[offset], .. row];
        Assert.Equal(normalizer, LogProbabilities.Normalizer(new LogitRow(moved.AsSpan(offset))));
        Assert.Equal(normalizer, LogProbabilities.Normalizer(new LogitRow(row.Select(static logit => (double)logit).ToArray())));
    });

    [Fact]
    public void Top_AnyRow_IsTheOracles() => Gen.Select(Row, Gen.Int[0, 20]).Sample((row, count) =>
    {
        var expected = row.Select(static (logit, id) => (logit, id)).OrderByDescending(static token => token.logit).ThenBy(static token => token.id).Take(count);
        var top = LogProbabilities.Top(new LogitRow(row), 0.5, count);
        Assert.Equal(expected.Select(static token => new ScoredToken(token.id, token.logit - 0.5)), top);
    });

    [Fact]
    public void CheckFinite_OneLogitIsNot_NamesThePosition() => Gen.Select(Row, Gen.Int[0, 5000], Gen.OneOf(Gen.Const(float.NaN), Gen.Const(float.PositiveInfinity), Gen.Const(float.NegativeInfinity))).Sample((row, place, bad) =>
    {
        new LogitRow(row).CheckFinite(7);
        row[place % row.Length] = bad;
        double[] doubles = [.. row.Select(static logit => (double)logit)];
        var error = Assert.Throws<InferenceException>((Action)(() => new LogitRow(row).CheckFinite(77)));
        Assert.Equal("NonFiniteLogits", error.Code);
        Assert.Contains("position 77", error.Message, StringComparison.Ordinal);
        Assert.Throws<InferenceException>((Action)(() => new LogitRow(doubles).CheckFinite(77)));
    });

    [Theory]
    [InlineData(0, null, null, 1)]
    [InlineData(0.8, null, null, 1.2)]
    [InlineData(0.8, 50, null, 1.2)]
    [InlineData(0.8, null, 0.9, 1)]
    [InlineData(0.8, 50, 0.9, 1)]
    public void Choose_AfterTheFirst_AllocatesNothing(double temperature, int? topK, double? topP, double penalty)
    {
        var random = new Random(5);
        float[] row = [.. Enumerable.Range(0, 50_000).Select(_ => (float)(random.NextDouble() * 4))]; // flat: the nucleus is nearly all
        double[] doubles = [.. row];
        var options = new SamplingOptions { MaxNewTokens = 1, Temperature = temperature, TopK = topK, TopP = topP, RepetitionPenalty = penalty };
        var seen = new SeenTokens(row.Length, 200);
        var sampler = new TokenSampler(options, seen);
        ChooseMany();

        // The least of some rounds: the runtime itself allocates on the thread now and then, when it compiles a hot loop anew.
        Assert.Equal(0, Enumerable.Range(0, 8).Min(_ =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            ChooseMany();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));

        void ChooseMany()
        {
            for (var position = 0; position < 3; position++)
            {
                seen.Add([sampler.Choose(new LogitRow(row), position)]);
                seen.Add([sampler.Choose(new LogitRow(doubles), position)]);
            }
        }
    }

    private static float[] Penalized(float[] row, double penalty, int[] seen) =>
        [.. row.Select((logit, id) => !seen.Contains(id) ? logit : logit > 0 ? logit / (float)penalty : logit * (float)penalty)];

    private static int Oracle(float[] raw, SamplingOptions options, long position, int[] seen)
    {
        var row = Penalized(raw, options.RepetitionPenalty, seen);
        var highest = row.Max();
        float[] weights = [.. row.Select(logit => (logit - highest) / (float)options.Temperature)];
        TensorPrimitives.Exp<float>(weights, weights); // MathF.Exp has other last bits
        var cut = options.TopK < row.Length || options.TopP is not null;
        var kept = cut
            ? row.Select(static (logit, id) => (logit, id)).OrderByDescending(static token => token.logit).ThenBy(static token => token.id).Select(static token => token.id).ToList()
            : [.. Enumerable.Range(0, row.Length)];
        kept = [.. kept.Take(options.TopK ?? row.Length)];
        if (options.TopP is { } mass)
        {
            var total = kept.Sum(id => (double)weights[id]);
            kept = [.. kept.Take(1 + kept.TakeWhile((_, place) => kept.Take(place + 1).Sum(id => (double)weights[id]) < mass * total).Count())];
        }

        var wanted = KeyedRandom.Draw(options.Seed, position) * kept.Sum(id => (double)weights[id]);
        var sum = 0.0;
        return kept.First(id => (sum += weights[id]) > wanted || id == kept[^1]);
    }
}
