using System.Globalization;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;

namespace Granary.Inference.Tests.Shapes;

/// <summary>Row S8 of the goldens: the sizes of Pythia's KV caches.</summary>
public sealed class KvSizeTests
{
    // model, layers, d_model, heads, head_dim, rotary_dims, vocab_padded, params, kv_bytes_per_token_fp16, kv_bytes_per_token_fp32: ../shared/data/pythia/pythia_shapes_kv.csv
    private const string Table = """
        14m,6,128,4,32,8,50304,14067712,3072,6144
        31m,6,256,8,32,8,50304,30494720,6144,12288
        70m,6,512,8,64,16,50304,70426624,12288,24576
        160m,12,768,12,64,16,50304,162322944,36864,73728
        410m,24,1024,16,64,16,50304,405334016,98304,196608
        1b,16,2048,8,256,64,50304,1011781632,131072,262144
        1.4b,24,2048,16,128,32,50304,1414647808,196608,393216
        2.8b,32,2560,32,80,20,50304,2775208960,327680,655360
        6.9b,32,4096,32,128,32,50432,6857302016,524288,1048576
        12b,36,5120,40,128,32,50688,11846072320,737280,1474560
        """;

    [Fact]
    public void S8_AllPythiaShapes_HaveTheSizesOfTheTable() => CheckTable(Table.Split('\n'));

    [Fact]
    public void S8_AllPythiaShapes_HaveTheSizesOfThePublicData()
    {
        var path = Golden.FindShared("data/pythia/pythia_shapes_kv.csv");
        Assert.SkipWhen(path is null, "../shared/data/pythia/pythia_shapes_kv.csv is not beside the repository.");

        CheckTable(File.ReadAllLines(path).Skip(1).Where(line => line.Length > 0));
    }

    [Theory]
    [InlineData("70m", KvDtype.Float32, 50_331_648)]
    [InlineData("pythia-70m", KvDtype.Float32, 50_331_648)]
    [InlineData("Pythia-70M", KvDtype.BFloat16, 25_165_824)]
    [InlineData("pythia-12b", KvDtype.Float64, 6_039_797_760)]
    public void S8_WholeWindow_HasTheKnownBytes(string name, KvDtype dtype, long bytes)
    {
        Assert.True(PythiaShapes.TryGet(name, out var config));
        Assert.Equal(bytes, KvSize.Bytes(config, 2048, dtype));
        Assert.Equal(0, KvSize.Bytes(config, 0, dtype));
    }

    [Theory]
    [InlineData(2049)]
    [InlineData(-1)]
    public void Bytes_LengthOutsideOfTheWindow_IsRefused(int length)
    {
        Assert.True(PythiaShapes.TryGet("70m", out var config));

        var error = Assert.Throws<InferenceException>(() => KvSize.Bytes(config, length, KvDtype.Float32));

        Assert.Contains("2048", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("70")]
    [InlineData("pythia-")]
    [InlineData("")]
    [InlineData("gpt-2")]
    public void TryGet_UnknownSize_IsFalse(string name) => Assert.False(PythiaShapes.TryGet(name, out _));

    private static void CheckTable(IEnumerable<string> lines)
    {
        var names = new List<string>();
        foreach (var row in lines.Select(line => line.Trim().Split(',')))
        {
            Assert.True(PythiaShapes.TryGet(row[0], out var config), row[0]);
            var numbers = row.Skip(1).Select(cell => long.Parse(cell, CultureInfo.InvariantCulture)).ToArray();
            Assert.Equal(numbers[..6], new long[] { config.Layers, config.HiddenSize, config.Heads, config.HeadDim, config.RotaryDimensions, config.VocabularySize });
            Assert.Equal(numbers[6], Inference.Checkpoints.GptNeoXTensors.Shapes(config).Sum(tensor => tensor.Shape.Aggregate(1L, (a, b) => a * b)));
            Assert.Equal(numbers[7], KvSize.Bytes(config, 1, KvDtype.BFloat16));
            Assert.Equal(numbers[8], KvSize.Bytes(config, 1, KvDtype.Float32));
            names.Add("pythia-" + row[0]);
        }

        Assert.Equal(PythiaShapes.Names, names);
    }
}
