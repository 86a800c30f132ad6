using Granary.Bench.Common;
using Granary.Bench.Engine;

namespace Granary.House.Tests.Benchmarks;

public sealed class TargetsTests
{
    private const string Document = """
        {"numerics":"n","exact":true,"rows":[
          {"work":"load","tokens":0,"asks":1,"shared":false,"seconds":[3,4,5],"floorSeconds":[2,2,2]},
          {"work":"prefill","tokens":512,"asks":1,"shared":false,"seconds":[5,3,4],"floorSeconds":[1,1,1]},
          {"work":"one-step","tokens":512,"asks":1,"shared":false,"seconds":[4,4,4],"floorSeconds":[1,1,1]},
          {"work":"decode","tokens":2048,"asks":1,"shared":false,"seconds":[2,2,3],"floorSeconds":[2,2,2]},
          {"work":"decode","tokens":1500,"asks":16,"shared":true,"seconds":[6,6,6],"floorSeconds":[1,2,3]},
          {"work":"decode","tokens":1500,"asks":16,"shared":false,"seconds":[10,12,11],"floorSeconds":[5,5,5]}]}
        """;

    private readonly Series _series = new();

    public TargetsTests() => _series.Add(OurRun.Parse(Document));

    [Fact]
    public void Compare_WithoutAPeer_ComparesOursWithOurs() => Assert.Equal(
        [
            "decode, 16 asks over one context 1500 / separate contexts: 6/11 6/11 of 0.5: no",
            "load, fingerprint known / a read of the weight files: 3/2 4/2 of 2: yes",
            "decode, batch 1, context 2048 / floor: 2/2 2/2 of 1.2: yes",
            "decode, 16 asks over one context 1500 / floor: 6/1 6/2 of : ",
            "decode, batch 16, context 1500 / floor: 11/5 11/5 of : ",
            "prefill 512 / one step: cost of history independence: 3/4 4/4 of 1.05: yes",
        ],
        Targets.Compare(_series, "float32").Select(Show));

    [Fact]
    public void Compare_WithAPeer_TakesItsKindsOfTheDtype()
    {
        foreach (var kind in PeerKind.Of("float32").Concat(PeerKind.Of("bfloat16")))
        {
            _series.Add(kind.ToString(), new RowKey("decode", 2048), new RoundSample(kind.KvType == "f32" ? 10 : 2, 4));
        }

        Assert.Equal(
            ["llama.cpp f32, kv f32: 2/10 2/4 of 0.3: by minima", "llama.cpp f32, kv f16: 2/2 2/4 of 1.1: yes"],
            Targets.Compare(_series, "float32").Where(IsPeer).Select(row => Show(row)["decode, batch 1, context 2048 / ".Length..]));
        Assert.Equal(
            ["llama.cpp bf16, kv f16: 2/2 2/4 of 0.75: by medians"],
            Targets.Compare(_series, "bfloat16").Where(IsPeer).Select(row => Show(row)["decode, batch 1, context 2048 / ".Length..]));
    }

    [Fact]
    public void Find_OverRounds_IsTheLeastAndTheMedianOfTheMedians()
    {
        _series.Add("peer", new RowKey("prefill", 7), new RoundSample(3, 9));
        _series.Add("peer", new RowKey("prefill", 7), new RoundSample(2, 4));
        _series.Add("peer", new RowKey("prefill", 7), new RoundSample(5, 5));
        Assert.Equal(new RoundSample(2, 5), _series.Find("peer", new RowKey("prefill", 7)));
        Assert.Null(_series.Find("peer", new RowKey("prefill", 8)));
    }

    [Theory]
    [InlineData("prefill", 2048, 1, 0.6, 0.6, 0.6)]
    [InlineData("decode", 2048, 1, 0.3, 1.1, 0.75)]
    [InlineData("decode", 2048, 8, 0.12, 0.75, 0.65)]
    [InlineData("decode", 128, 32, 0.5, 0.5, 0.6)]
    public void OfPeer_IsTheIssuesTable(string work, int tokens, int asks, double floatKvF32, double floatKvF16, double bfloat)
    {
        var key = new RowKey(work, tokens, asks);
        Assert.Equal([floatKvF32, floatKvF16], PeerKind.Of("float32").Select(kind => Targets.OfPeer(key, kind)));
        Assert.Equal([bfloat], PeerKind.Of("bfloat16").Select(kind => Targets.OfPeer(key, kind)));
    }

    [Theory]
    [InlineData("granary: no such verb")]
    [InlineData("null")]
    [InlineData("""{"numerics":"n","exact":true}""")]
    public void OurRun_OfAnotherVersion_IsToldSo(string document) =>
        Assert.Contains("not its document", Assert.Throws<BenchException>(() => OurRun.Parse(document)).Message, StringComparison.Ordinal);

    private static bool IsPeer(Comparison row) => row.Against.StartsWith("llama.cpp", StringComparison.Ordinal);

    private static string Show(Comparison row) => FormattableString.Invariant(
        $"{row.Work} / {row.Against}: {row.Ours.Least}/{row.Theirs.Least} {row.Ours.Middle}/{row.Theirs.Middle} of {row.Target}: {row.Met}");
}
