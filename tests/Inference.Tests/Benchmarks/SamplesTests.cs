using Granary.Inference.Benchmarks;

namespace Granary.Inference.Tests.Benchmarks;

public sealed class SamplesTests
{
    [Theory]
    [InlineData(new double[] { 3 }, 3)]
    [InlineData(new double[] { 9, 1, 4 }, 4)]
    [InlineData(new double[] { 8, 1, 4, 2 }, 3)]
    public void Median_IsTheMiddle(double[] samples, double median) => Assert.Equal(median, Samples.Median(samples));

    [Fact]
    public void Median_OfNone_Throws() => Assert.Throws<ArgumentException>(() => Samples.Median([]));

    [Fact]
    public void Ratios_OfARow_AreOfItsMinimaAndMedians()
    {
        var row = new BenchmarkRow(new BenchmarkCase(BenchmarkWork.Decode, 5), [3, 8, 4], [2, 1, 4]);
        Assert.Equal((3, 2), (row.RatioOfMinima, row.RatioOfMedians));
    }
}
