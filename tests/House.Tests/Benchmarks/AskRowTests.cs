using Granary.Bench.Ask;

namespace Granary.House.Tests.Benchmarks;

public sealed class AskRowTests
{
    private static readonly BenchRow Row = new()
    {
        Work = "token",
        What = "a token",
        Unit = "µs",
        Samples = [6, 4, 8],
        Against = "the engine alone",
        AgainstSamples = [2, 4, 3],
    };

    [Fact]
    public void Comparison_OfARatio_IsBestByBestAndMedianByMedian() => Assert.Equal((2.0, 2.0), (Row.ByBest, Row.ByMedians));

    [Fact]
    public void Comparison_OfADifference_IsInTheUnit() => Assert.Equal((2.0, 3.0), (Row with { IsDifference = true }) is var row ? (row.ByBest, row.ByMedians) : default);

    [Theory]
    [InlineData(3.0, "yes")]
    [InlineData(2.0, "by minima")]
    [InlineData(1.0, "no")]
    [InlineData(null, "")]
    public void Met_OfADifference_IsAtMostTheTarget(double? target, string met) => Assert.Equal(met, (Row with { IsDifference = true, Target = target }).Met);

    [Theory]
    [InlineData(2.0, "yes")]
    [InlineData(2.1, "no")]
    public void Met_WhereMoreIsBetter_IsAtLeastTheTarget(double target, string met) => Assert.Equal(met, (Row with { MoreIsBetter = true, Target = target }).Met);
}
