using Granary.Client.Datasets;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Client.Tests.Datasets;

public sealed class EstimateSumTests
{
    private static readonly DatasetSource Source = DatasetSource.Of([new DatasetItem("a", "one", []), new DatasetItem("b", "two", []), new DatasetItem("", "", [])]);

    private static DatasetItem Item(string id, int length) => new(id, new string('x', length), []);

    private static PageEstimate Page(string hash, bool stored = false, double? seconds = 0.5) => new(hash, 10, 100, 120, stored, seconds);

    [Fact]
    public void Add_PagesOfSeveralItems_CountsEachHashOnce()
    {
        var sum = new EstimateSum(Source);
        sum.Add("a", new ContextEstimate(20, [Page("p"), Page("q", stored: true)], true));
        sum.Add("b", new ContextEstimate(30, [Page("p"), Page("q", stored: true), Page("r")], false));

        Assert.Equal(
            new DatasetEstimate
            {
                Items = 3,
                Done = 3,
                Failed = 1,
                Failures = sum.Total.Failures,
                Tokens = 50,
                Pages = 5,
                DistinctPages = 3,
                StoredPages = 1,
                PrefillTokens = 20,
                StoreBytes = 240,
                ResidentBytes = 300,
                Seconds = 1,
                Exact = false,
            },
            sum.Total);
        Assert.Equal(ErrorCodes.EmptyInput, Assert.Single(sum.Total.Failures).Code);
    }

    [Fact]
    public void Add_NothingMeasured_TellsNoTime()
    {
        var sum = new EstimateSum(Source);
        sum.Add("a", new ContextEstimate(10, [Page("p", seconds: null)], true));
        Assert.Null(sum.Total.Seconds);
    }

    [Fact]
    public void Add_OneThatCannotBeCreated_Fails()
    {
        var sum = new EstimateSum(Source);
        sum.Add("a", new ContextEstimate(0, [], true, ErrorCodes.ContextWindowExceeded, "too long"));
        Assert.Equal((2, 2, 0L), (sum.Total.Failed, sum.Total.Done, sum.Total.Tokens));
        Assert.Equal(new DatasetFailure("a", ErrorCodes.ContextWindowExceeded, "too long"), sum.Total.Failures[1]);
    }

    [Fact]
    public void Of_ItemsOfManySizes_CutsBatchesThatOneCallCarries()
    {
        DatasetItem[] items = [Item("a", 700_000), Item("b", 400_000), Item("c", 100), Item("d", 3_000_000), Item("e", 5)];
        var batches = ItemBatches.Of(items, ItemSize.OfContext).ToList();
        Assert.Equal("1 2 1 1", string.Join(' ', batches.Select(static batch => batch.Length)));
        Assert.Equal(items, batches.SelectMany(static batch => batch));
    }
}
