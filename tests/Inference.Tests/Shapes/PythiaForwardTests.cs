using System.Runtime.InteropServices;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.Engine;
using Granary.Inference.Tests.HistoryIndependence;
using Granary.Testing;

namespace Granary.Inference.Tests.Shapes;

/// <summary>Every Pythia shape runs on random weights: true widths and vocabulary, one layer or two, for time and memory.</summary>
/// <remarks>The two largest would write 1.2 and 1.7 GB: the short form ties their embeddings, the widths stay.</remarks>
public sealed class PythiaForwardTests
{
    private const int NewTokens = 3;

    // pythia_shapes_kv.csv: model, layers, d_model, heads, head_dim, rotary_dims, vocab_padded, kv_bytes_per_token_fp32.
    private static readonly (string Name, int Layers, int Hidden, int Heads, int HeadDim, int Rotary, int Vocabulary, long KvBytes)[] Table =
    [
        ("14m", 6, 128, 4, 32, 8, 50304, 6144),
        ("31m", 6, 256, 8, 32, 8, 50304, 12288),
        ("70m", 6, 512, 8, 64, 16, 50304, 24576),
        ("160m", 12, 768, 12, 64, 16, 50304, 73728),
        ("410m", 24, 1024, 16, 64, 16, 50304, 196608),
        ("1b", 16, 2048, 8, 256, 64, 50304, 262144),
        ("1.4b", 24, 2048, 16, 128, 32, 50304, 393216),
        ("2.8b", 32, 2560, 32, 80, 20, 50304, 655360),
        ("6.9b", 32, 4096, 32, 128, 32, 50432, 1048576),
        ("12b", 36, 5120, 40, 128, 32, 50688, 1474560),
    ];

    public static TheoryData<string> Run => [.. Table.Select(shape => shape.Name)];

    [Fact]
    public void TryGet_EveryShape_IsThatOfTheTable()
    {
        Assert.Equal(Table.Select(shape => "pythia-" + shape.Name), PythiaShapes.Names);
        foreach (var shape in Table)
        {
            var config = Config(shape.Name);
            Assert.Equal(
                (shape.Layers, shape.Hidden, shape.Heads, shape.HeadDim, shape.Rotary, shape.Vocabulary),
                (config.Layers, config.HiddenSize, config.Heads, config.HeadDim, config.RotaryDimensions, config.VocabularySize));
            Assert.Equal(shape.KvBytes, KvLayout.Of(config, KvDtype.Float32).BytesPerToken);
            Assert.Equal(shape.KvBytes, 2L * shape.Layers * shape.Hidden * sizeof(float));
        }
    }

    [Theory, MemberData(nameof(Run))]
    public async Task Forward_TrueWidths_PagesAndRowsAgree(string name)
    {
        var whole = Config(name);
        var config = whole with { Layers = whole.HiddenSize < 1024 ? 2 : 1, TiedEmbeddings = !LongForm.Wanted && whole.HiddenSize >= 4096 };
        var dtype = config.HiddenSize < 2048 ? KvDtype.Float32 : KvDtype.BFloat16;
        using var scratch = new ScratchFolder();
        var folder = scratch.File("model");
        RandomCheckpoint.Create(config, 1, folder, dtype: SafetensorsDtype.F16);
        await using var engine = HistoryModels.NewEngine(threads: 2);
        var model = await engine.LoadAsync(folder, name, new ModelLoadOptions(dtype, Fingerprints: new FingerprintCache(scratch.Path)));
        var page = model.Layout.PageSize;

        // A page and two tokens in panels and rows; then what an ask decodes, in rows, against one forward pass, in panels.
        var ids = ContextCase.Ids(page + 2, 1, config.VocabularySize);
        using var context = await ContextRun.PrefillAsync(model, ids[..page]);
        var answer = await context.AskAsync(ids[page..], ExactnessTests.Options(NewTokens));
        int[] all = [.. ids, .. answer.TokenIds, .. ContextCase.Ids(40, 2, config.VocabularySize)]; // more than share a step
        var cached = await model.ForwardAsync(new ForwardRequest { TokenIds = all, Split = page }, default);

        Assert.True(model.Numerics.Exact);
        Assert.Equal([all.Length - page, config.VocabularySize], cached.LogitsShape);
        Assert.Equal([config.Layers, 2, 1, config.Heads, all.Length, config.HeadDim], cached.KvShape);
        Assert.Equal(KvSize.Bytes(config, all.Length, dtype), cached.Kv.Length);
        var rows = Floats(cached.Logits, dtype).Chunk(config.VocabularySize).ToArray();
        Assert.All(rows, row => Assert.True(row.All(float.IsFinite)));
        for (var index = 0; index < NewTokens; index++)
        {
            var row = rows[ids.Length - page - 1 + index];
            var told = LogProbability(row, answer.TokenIds[index]);
            // float32: the order of additions. bfloat16: the pass hands its logits out rounded to 8 bits.
            var tolerance = dtype == KvDtype.Float32 ? 1e-4 : row.Max(Math.Abs) / 128;
            Assert.InRange(Math.Abs((answer.LogProbabilities ?? [])[index] - told), 0, tolerance);
        }
    }

    private static ModelConfig Config(string name) =>
        PythiaShapes.TryGet(name, out var config) ? config : throw new ArgumentException($"There is no Pythia {name}.", nameof(name));

    private static double LogProbability(float[] logits, int id)
    {
        var largest = logits.Max();
        return logits[id] - largest - Math.Log(logits.Sum(logit => Math.Exp(logit - largest)));
    }

    private static float[] Floats(byte[] bytes, KvDtype dtype) => dtype == KvDtype.Float32
        ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
        : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(bits => BitConverter.Int32BitsToSingle(bits << 16))];
}
