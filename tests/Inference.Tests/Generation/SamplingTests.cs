using Granary.Inference.Generation;

namespace Granary.Inference.Tests.Generation;

public sealed class SamplingTests
{
    [Fact]
    public void Choose_Greedy_TiesGoToTheLowestId()
    {
        var sampler = new TokenSampler(new SamplingOptions { MaxNewTokens = 1 });
        Assert.Equal(1, sampler.Choose(new LogitRow([0f, 3, 3, -1]), 0));
        Assert.Equal(1, sampler.Choose(new LogitRow([0.0, 3, 3, -1]), 0));
        Assert.Equal(1, sampler.Choose(new LogitRow([-1f, -0f, 0, -1]), 0));
    }

    [Fact]
    public void Choose_Float32OrFloat64Row_SameChoices()
    {
        var random = new Random(5);
        for (var round = 0; round < 50; round++)
        {
            var singles = Enumerable.Range(0, 1000).Select(_ => (float)(random.NextDouble() * 8)).ToArray();
            var doubles = Array.ConvertAll(singles, static logit => (double)logit);
            var options = new SamplingOptions { MaxNewTokens = 1, Temperature = round % 2, TopK = 1 + (round * 7), TopP = 0.9, Seed = round };

            Assert.Equal(new TokenSampler(options).Choose(new LogitRow(doubles), round), new TokenSampler(options).Choose(new LogitRow(singles), round));
            Assert.Equal(new LogitRow(doubles).Normalizer(), new LogitRow(singles).Normalizer());
        }
    }

    [Fact]
    public void Choose_AfterTheFirst_AllocatesNothing()
    {
        var sampler = new TokenSampler(new SamplingOptions { MaxNewTokens = 1, Temperature = 0.8, Seed = 1 });
        var logits = Enumerable.Range(0, 5000).Select(static id => id % 97 * 0.1f).ToArray();
        sampler.Choose(new LogitRow(logits), 0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var position = 1; position < 100; position++)
        {
            sampler.Choose(new LogitRow(logits), position);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void IsFinite_OneLogitIsNot_False(float logit)
    {
        var logits = new float[777];
        Assert.True(new LogitRow(logits).IsFinite);
        logits[700] = logit;
        Assert.False(new LogitRow(logits).IsFinite);
        Assert.False(new LogitRow(Array.ConvertAll(logits, static value => (double)value)).IsFinite);
    }

    [Fact]
    public void Choose_Sampled_FollowsTheProbabilities()
    {
        var sampler = new TokenSampler(new SamplingOptions { MaxNewTokens = 1, Temperature = 1, Seed = 42 });
        double[] logits = [Math.Log(0.5), Math.Log(0.3), Math.Log(0.2)];
        var counts = new int[3];
        for (var position = 0; position < 20_000; position++)
        {
            counts[sampler.Choose(new LogitRow(logits), position)]++;
        }

        // Standard deviation of a share is below 0.0036 at 20,000 draws: five of them.
        Assert.InRange(counts[0] / 20_000.0, 0.482, 0.518);
        Assert.InRange(counts[1] / 20_000.0, 0.282, 0.318);
    }

    [Theory]
    [InlineData(2, null, new[] { 1, 3 })]
    [InlineData(null, 0.5, new[] { 1 })]
    [InlineData(null, 0.6, new[] { 1, 3 })]
    [InlineData(1, 1.0, new[] { 1 })]
    public void Choose_Cut_OnlyTheLikeliestAreDrawn(int? topK, double? topP, int[] allowed)
    {
        var sampler = new TokenSampler(new SamplingOptions { MaxNewTokens = 1, Temperature = 1, TopK = topK, TopP = topP, Seed = 3 });
        double[] logits = [Math.Log(0.1), Math.Log(0.55), Math.Log(0.1), Math.Log(0.25)];
        var drawn = Enumerable.Range(0, 500).Select(position => sampler.Choose(new LogitRow(logits), position)).Distinct().Order();
        Assert.Equal(allowed, drawn);
    }

    [Fact]
    public void Draw_SameKey_SameNumberNeighbouringSeedsAreNoShiftedCopies()
    {
        Assert.Equal(KeyedRandom.Draw(5, 100), KeyedRandom.Draw(5, 100));
        var first = Enumerable.Range(0, 100).Select(position => KeyedRandom.Draw(1, position)).ToHashSet();
        var second = Enumerable.Range(0, 100).Count(position => first.Contains(KeyedRandom.Draw(2, position)));
        Assert.InRange(second, 0, 1);
        Assert.All(first, number => Assert.InRange(number, 0f, 0.99999999f));
    }

    [Fact]
    public void Top_Ties_LowestIdFirstAndNormalized()
    {
        double[] logits = [1, 2, 2, 0];
        var normalizer = new LogitRow(logits).Normalizer();
        var top = LogProbabilities.Top(new LogitRow(logits), normalizer, 3);
        Assert.Equal([1, 2, 0], top.Select(token => token.Id));
        Assert.Equal(1.0, logits.Sum(logit => Math.Exp(logit - normalizer)), 12);
    }

    [Theory]
    [InlineData(new[] { "ab", "c", "d" }, new[] { "bcd" }, "a", true)]
    [InlineData(new[] { "ab", "c", "x" }, new[] { "bcd" }, "abcx", false)]
    [InlineData(new[] { "one two" }, new[] { "two", "one" }, "", true)]
    [InlineData(new[] { "aa", "b" }, new[] { "ab" }, "a", true)]
    public void Scanner_PiecesOfText_PassesOnWhatIsNoStop(string[] pieces, string[] stops, string expected, bool stopped)
    {
        var scanner = new StopScanner(stops);
        var passed = string.Concat(pieces.Select(scanner.Append)) + scanner.Flush();
        Assert.Equal(expected, passed);
        Assert.Equal(stopped, scanner.Stopped);
    }
}
