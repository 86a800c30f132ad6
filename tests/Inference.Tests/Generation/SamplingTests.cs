using Granary.Inference.Generation;

namespace Granary.Inference.Tests.Generation;

public sealed class SamplingTests
{
    [Fact]
    public void Choose_Greedy_TiesGoToTheLowestId() =>
        Assert.Equal(1, new TokenSampler(new SamplingOptions { MaxNewTokens = 1 }).Choose(new LogitRow([0f, 3, 3, -1]), 0));

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

    [Theory]
    [InlineData(2, null, new[] { 1, 2 })] // of four that tie
    [InlineData(3, 0.5, new[] { 1, 2 })] // two of the three that are left are the first above one half
    [InlineData(null, 0.25, new[] { 1 })] // the sum is equal at the first
    public void Choose_CutInATie_KeepsTheLowestIds(int? topK, double? topP, int[] allowed)
    {
        var sampler = new TokenSampler(new SamplingOptions { MaxNewTokens = 1, Temperature = 1, TopK = topK, TopP = topP, Seed = 3 });
        float[] logits = [-90, 2, 2, 2, 2]; // exp(-92) is nothing beside 4
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
        var normalizer = LogProbabilities.Normalizer(new LogitRow(logits));
        var top = LogProbabilities.Top(new LogitRow(logits), normalizer, 3);
        Assert.Equal([1, 2, 0], top.Select(token => token.Id));
        Assert.Equal(1.0, logits.Sum(logit => Math.Exp(logit - normalizer)), 12);
    }

    [Theory]
    [InlineData(new[] { "ab", "c", "d" }, new[] { "bcd" }, "a", true)]
    [InlineData(new[] { "ab", "c", "x" }, new[] { "bcd" }, "abcx", false)]
    [InlineData(new[] { "one two" }, new[] { "two", "one" }, "", true)]
    [InlineData(new[] { "abc" }, new[] { "abc", "b" }, "a", true)]
    [InlineData(new[] { "ab", "c" }, new[] { "abc", "b" }, "a", true)]
    [InlineData(new[] { "aa", "b" }, new[] { "ab" }, "a", true)]
    public void Scanner_PiecesOfText_PassesOnWhatIsNoStop(string[] pieces, string[] stops, string expected, bool stopped)
    {
        var scanner = new StopScanner(stops);
        var passed = string.Concat(pieces.Select(scanner.Append)) + scanner.Flush();
        Assert.Equal(expected, passed);
        Assert.Equal(stopped, scanner.Stopped);
    }
}
