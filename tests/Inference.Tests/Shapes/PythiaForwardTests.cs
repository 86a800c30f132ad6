using System.Runtime.InteropServices;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.Engine;
using Granary.Inference.Tests.HistoryIndependence;

namespace Granary.Inference.Tests.Shapes;

/// <summary>Every Pythia shape runs on random weights: true widths and vocabulary, one layer or two, for time and memory.</summary>
/// <remarks>The two largest write 1.2 and 1.7 GB, so only the long form runs them.</remarks>
public sealed class PythiaForwardTests
{
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

    public static TheoryData<string> Run => [.. Table.Where(shape => LongForm.Wanted || shape.Hidden < 4096).Select(shape => shape.Name)];

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
    public async Task Forward_TrueWidths_IsFiniteAndTheCachedStepAgrees(string name)
    {
        var whole = Config(name);
        var config = whole with { Layers = whole.HiddenSize < 1024 ? 2 : 1 };
        var dtype = config.HiddenSize < 2048 ? KvDtype.Float32 : KvDtype.BFloat16;
        using var scratch = new ScratchFolder();
        var folder = scratch.File("model");
        RandomCheckpoint.Create(config, 1, folder, dtype: SafetensorsDtype.F16);
        await using var engine = HistoryModels.NewEngine(threads: 1);
        var model = await engine.LoadAsync(folder, name, new ModelLoadOptions(dtype, Fingerprints: new FingerprintCache(scratch.Path)));
        var ids = ContextCase.Ids(13, 1, config.VocabularySize);
        var uncached = await model.ForwardAsync(new ForwardRequest { TokenIds = ids }, default);
        var cached = await model.ForwardAsync(new ForwardRequest { TokenIds = ids, Split = ids.Length - 1 }, default);

        Assert.Equal([ids.Length, config.VocabularySize], uncached.LogitsShape);
        Assert.Equal([1, config.VocabularySize], cached.LogitsShape);
        Assert.Equal([config.Layers, 2, 1, config.Heads, ids.Length, config.HeadDim], uncached.KvShape);
        Assert.Equal(KvSize.Bytes(config, ids.Length, dtype), uncached.Kv.Length);
        var (all, last) = (Floats(uncached.Logits, dtype), Floats(cached.Logits, dtype));
        Assert.All(all.Chunk(config.VocabularySize), row => Assert.True(row.All(float.IsFinite)));
        Close(all[^config.VocabularySize..], last, dtype);

        // What an ask decodes, row by row, has the log-probabilities of the uncached pass over its tokens.
        using var context = await ContextRun.PrefillAsync(model, ids[..^1]);
        var answer = await context.AskAsync(ids[^1..], ExactnessTests.Options(3));
        var told = await model.ForwardAsync(new ForwardRequest { TokenIds = [.. ids, .. answer.TokenIds] }, default);
        var rows = Floats(told.Logits, dtype).Chunk(config.VocabularySize).Skip(ids.Length - 1).ToArray();
        Assert.All(answer.TokenIds, (id, index) => Assert.InRange(
            Math.Abs((answer.LogProbabilities ?? [])[index] - LogProbability(rows[index], id)), 0, dtype == KvDtype.Float32 ? 1e-3 : 0.5));
    }

    private static ModelConfig Config(string name) =>
        PythiaShapes.TryGet(name, out var config) ? config : throw new ArgumentException($"There is no Pythia {name}.", nameof(name));

    // Both passes round differently: by some units in the last place of float32, and by bfloat16's 8 bits in every layer's input.
    private static void Close(float[] expected, float[] actual, KvDtype dtype)
    {
        var largest = expected.Max(Math.Abs);
        var apart = expected.Zip(actual, (left, right) => Math.Abs(left - right)).Max();
        Assert.InRange(apart / largest, 0, dtype == KvDtype.Float32 ? 1e-4f : 0.05f);
    }

    private static double LogProbability(float[] logits, int id)
    {
        var largest = logits.Max();
        return logits[id] - largest - Math.Log(logits.Sum(logit => Math.Exp(logit - largest)));
    }

    private static float[] Floats(byte[] bytes, KvDtype dtype) => dtype == KvDtype.Float32
        ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
        : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(bits => BitConverter.Int32BitsToSingle(bits << 16))];
}
