using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Models;

namespace Granary.Grains.Interfaces.Tests.Contexts;

public sealed class ContextIdTests
{
    [Fact]
    public void Parse_ToString_RoundTrips()
    {
        var context = new ContextId("acme", "pythia-70m", "faq.1");
        Assert.Equal(context, ContextId.Parse(context.ToString()));
        var dataset = new DatasetId("acme", "faq");
        Assert.Equal(dataset, DatasetId.Parse(dataset.ToString()));
        Assert.Equal("acme/faq/00007", dataset.ShardKey(7));
        var worker = new WorkerId("host-1", "cpu", "pythia-70m");
        Assert.Equal(worker, WorkerId.Parse(worker.ToString()));
    }

    [Theory]
    [InlineData("acme/pythia-70m")]
    [InlineData("acme/pythia-70m/a/b")]
    [InlineData("acme/../a")]
    [InlineData("acme/Pythia/a")]
    public void Parse_OtherKeys_AreRefused(string key) =>
        Assert.Equal(ErrorCodes.InvalidName, Assert.Throws<GranaryException>(() => ContextId.Parse(key)).Code);
}
