using Granary.Bench.Common;
using Granary.Bench.Engine;

namespace Granary.House.Tests.Benchmarks;

public sealed class PeerRunTests
{
    // As llama.cpp's benchmark of 2026-11-24 printed it; the fields that are not read are left out.
    private const string Line = """
        {"model":"m70-f32.gguf","threads":2,"kv":"F16","prefill":{"512":{"ms":161.859,"min_ms":153.537,"tok_s":3163}},
         "decode":{"ctx2048_b1":{"ms_step":7.228,"min_ms":4.562,"tok_s":138},"ctx128_b32":{"ms_step":21.5,"min_ms":20.65,"tok_s":372}},"load1":1.13}
        """;

    [Fact]
    public void Parse_ALine_GivesSecondsByWork() => Assert.Equal(
        new Dictionary<RowKey, RoundSample>
        {
            [new RowKey("prefill", 512)] = new(153.537 / 1000, 161.859 / 1000),
            [new RowKey("decode", 2048)] = new(7.228 / 1000, 7.228 / 1000), // its luckiest step is no match for our mean
            [new RowKey("decode", 128, 32)] = new(21.5 / 1000, 21.5 / 1000),
        },
        PeerRun.Parse(Line));

    [Theory]
    [InlineData("")]
    [InlineData("Error: no such model")]
    [InlineData("[]")]
    [InlineData("""{"prefill":{}}""")]
    [InlineData("""{"prefill":{"many":{"ms":1,"min_ms":1}},"decode":{}}""")]
    [InlineData("""{"prefill":{},"decode":{"ctx1":{"ms_step":1}}}""")]
    [InlineData("""{"prefill":{},"decode":{"ctx1_b1":{"ms":1}}}""")]
    public void Parse_SomethingElse_TellsWhatWasPrinted(string line) =>
        Assert.Contains($"It printed: {line}", Assert.Throws<BenchException>(() => PeerRun.Parse(line)).Message, StringComparison.Ordinal);
}
