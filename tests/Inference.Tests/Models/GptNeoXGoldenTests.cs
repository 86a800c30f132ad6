using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.Engine;
using Granary.Inference.Tests.Kernels;

namespace Granary.Inference.Tests.Models;

/// <summary>Rows S1 to S4 of the goldens' README: the forward pass against Hugging Face 4.30.2 in float64.</summary>
/// <remarks>
/// Tolerances: float64 1e-9, the angles being float32 in both, made by torch's own operators; 1e-6 where transformers 4.30 rounds sqrt(head_dim) to
/// float32 also in a float64 run and the root is no float32 (with that rounding imitated the difference fell below 1e-9; transformers 5 does not round,
/// see tied-new-config). Float32 logits 2e-4 and KV 5e-5, an order above Hugging Face's own float32 (2e-5 and 7e-6).
/// </remarks>
public sealed class GptNeoXGoldenTests(EngineFixture engine)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S1_CheckpointRunInFloat32_LogitsAndKvAreHuggingFaces(string name)
    {
        var golden = new GoldenForward(name);
        var result = await RunAsync(name, KvDtype.Float32, new ForwardRequest { TokenIds = golden.Tokens });

        Assert.Equal([golden.Tokens.Length, golden.Logits.Length / golden.Tokens.Length], result.LogitsShape);
        Assert.Equal(golden.KvShape, result.KvShape);
        Assert.InRange(GoldenForward.Difference(golden.Logits, GoldenForward.Doubles(result.Logits, result.Dtype)), 0, 2e-4);
        Assert.InRange(GoldenForward.Difference(golden.Kv, GoldenForward.Doubles(result.Kv, result.Dtype)), 0, 5e-5);
    }

    public static TheoryData<string, string> Sets()
    {
        var data = new TheoryData<string, string>();
        foreach (var set in KernelSets.OfModels().Select(row => row.Data.Item1).Distinct())
        {
            foreach (var name in GoldenForward.Names())
            {
                data.Add(name.Data, set);
            }
        }

        return data;
    }

    [Theory, MemberData(nameof(Sets))]
    public async Task S1_EveryInstructionSet_LogitsAndKvAreHuggingFacesAndHistoryChangesNoBit(string name, string set)
    {
        var golden = new GoldenForward(name);
        using var scratch = new ScratchFolder();
        var options = new ModelLoadOptions(KvDtype.Float32, Fingerprints: new FingerprintCache(scratch.Path)) { Kernels = KernelSets.Both(set) };
        var model = await engine.Engine.LoadAsync(EngineFixture.Golden($"models/{name}"), $"{name}-{set}", options, None);

        var result = await model.ForwardAsync(new ForwardRequest { TokenIds = golden.Tokens }, None);

        Assert.True(model.Numerics.Exact); // the self-test ran in this set
        Assert.StartsWith(set, model.Numerics.Parts["kernels"], StringComparison.Ordinal);
        Assert.InRange(GoldenForward.Difference(golden.Logits, GoldenForward.Doubles(result.Logits, result.Dtype)), 0, 2e-4);
        Assert.InRange(GoldenForward.Difference(golden.Kv, GoldenForward.Doubles(result.Kv, result.Dtype)), 0, 5e-5);
        await model.UnloadAsync();
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S1_CheckpointRunInFloat64_LogitsAndKvAreHuggingFaces(string name)
    {
        var golden = new GoldenForward(name);
        var result = await RunAsync(name, KvDtype.Float64, new ForwardRequest { TokenIds = golden.Tokens });

        Assert.InRange(GoldenForward.Difference(golden.Logits, GoldenForward.Doubles(result.Logits, result.Dtype)), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(golden.Kv, GoldenForward.Doubles(result.Kv, result.Dtype)), 0, Tolerance(name));
    }

    [Theory, MemberData(nameof(GoldenForward.Splits), MemberType = typeof(GoldenForward))]
    public async Task S2_S3_RestOverCachedPrefix_LogitsAndKvAreTheWholes(string name, int split)
    {
        var golden = new GoldenForward(name);
        var vocab = golden.Logits.Length / golden.Tokens.Length;
        var whole = await RunAsync(name, KvDtype.Float64, new ForwardRequest { TokenIds = golden.Tokens });
        var rest = await RunAsync(name, KvDtype.Float64, new ForwardRequest { TokenIds = golden.Tokens, Split = split });
        var (logits, kv) = (GoldenForward.Doubles(rest.Logits, rest.Dtype), GoldenForward.Doubles(rest.Kv, rest.Dtype));

        Assert.Equal([golden.Tokens.Length - split, vocab], rest.LogitsShape);
        Assert.InRange(GoldenForward.Difference(golden.Logits.AsSpan(split * vocab), logits), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(golden.Kv, kv), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(GoldenForward.Doubles(whole.Logits, whole.Dtype).AsSpan(split * vocab), logits), 0, 1e-12);
        Assert.InRange(GoldenForward.Difference(GoldenForward.Doubles(whole.Kv, whole.Dtype), kv), 0, 1e-12);
        if (split % KvLayout.DefaultPageSize == 0)
        {
            Assert.Equal(whole.Kv, rest.Kv); // a split at a page boundary changes no bit
            Assert.True(whole.Logits.AsSpan((split * vocab) * sizeof(double)).SequenceEqual(rest.Logits));
        }
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S4_LeftPaddedCacheWithPositionIds_LogitsAreTheUnpadded(string name)
    {
        var golden = new GoldenForward(name);
        var vocab = golden.Logits.Length / golden.Tokens.Length;
        var padded = await RunAsync(name, KvDtype.Float64, new ForwardRequest { TokenIds = golden.Tokens, Split = golden.Split, LeftPad = golden.LeftPad });

        Assert.InRange(GoldenForward.Difference(golden.Logits.AsSpan(golden.Split * vocab), GoldenForward.Doubles(padded.Logits, padded.Dtype)), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(golden.Kv, GoldenForward.Doubles(padded.Kv, padded.Dtype)), 0, Tolerance(name));
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S4_LeftPaddedCacheWithoutPositionIds_LogitsAreWrongAsHuggingFaces(string name)
    {
        var golden = new GoldenForward(name);
        var request = new ForwardRequest { TokenIds = golden.Tokens, Split = golden.Split, LeftPad = golden.LeftPad, PositionIds = false };
        var padded = await RunAsync(name, KvDtype.Float64, request);

        Assert.InRange(GoldenForward.Difference(golden.WrongLogits, GoldenForward.Doubles(padded.Logits, padded.Dtype)), 0, Tolerance(name));
    }

    private static double Tolerance(string name) => name is "head-80" or "full-rotary-tanh" ? 1e-6 : 1e-9;

    private async Task<ForwardResult> RunAsync(string name, KvDtype dtype, ForwardRequest request) =>
        await (await engine.GoldenModelAsync(name, dtype)).ForwardAsync(request, None);
}
