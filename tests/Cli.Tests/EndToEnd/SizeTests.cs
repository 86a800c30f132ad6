using System.Text.Json.Nodes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Row S8: the bytes of Pythia's KV caches, by <c>granary size</c>.</summary>
public sealed class SizeTests : IDisposable
{
    // model, layers, hidden size, float32 KV bytes a token: ../shared/data/pythia/pythia_shapes_kv.csv
    private static readonly (string Model, int Layers, int HiddenSize, long BytesPerToken)[] Shapes =
    [
        ("pythia-14m", 6, 128, 6144), ("pythia-31m", 6, 256, 12288), ("pythia-70m", 6, 512, 24576), ("pythia-160m", 12, 768, 73728),
        ("pythia-410m", 24, 1024, 196608), ("pythia-1b", 16, 2048, 262144), ("pythia-1.4b", 24, 2048, 393216), ("pythia-2.8b", 32, 2560, 655360),
        ("pythia-6.9b", 32, 4096, 1048576), ("pythia-12b", 36, 5120, 1474560),
    ];

    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Theory]
    [InlineData("float32", 1.0)]
    [InlineData("bfloat16", 0.5)]
    [InlineData("float64", 2.0)]
    public async Task S8_Size_OfAllPythias_IsTheNotebooks(string dtype, double factor)
    {
        var run = (await _place.RunAsync(["size", .. Shapes.Select(shape => shape.Model), "--dtype", dtype, "--json"])).Succeeded();
        var rows = run.Result.AsArray().OfType<JsonNode>().ToList();
        Assert.Equal(Shapes.Length, rows.Count);
        var cumulative = 0L;
        foreach (var (row, shape) in rows.Zip(Shapes))
        {
            var bytes = (long)(shape.BytesPerToken * 2048 * factor);
            cumulative += bytes * 225;
            Assert.Equal(
                $$"""{"model":"{{shape.Model}}","layers":{{shape.Layers}},"hiddenSize":{{shape.HiddenSize}},"dtype":"{{dtype}}","sequenceLength":2048,"bytesPerExample":{{bytes}},"examples":225,"bytesTotal":{{bytes * 225}},"bytesCumulative":{{cumulative}}}""",
                row.ToJsonString());
        }
    }

    [Fact]
    public async Task S8_Size_Of70MInFloat32_IsTheNotebooksFigure() =>
        Assert.Equal(50_331_648, (long?)(await _place.RunAsync("size", "pythia-70m", "--examples", "1", "--json")).Succeeded().Result[0]?["bytesCumulative"]);

    [Fact]
    public async Task Size_OfAFolder_IsItsConfigs() =>
        Assert.Equal(2 * 3 * 64 * 64 * 4, (long?)(await _place.RunAsync("size", Workplace.Model("serial"), "--sequence-length=64", "--json")).Succeeded().Result[0]?["bytesPerExample"]);
}
