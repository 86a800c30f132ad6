using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Inference.Tests.Engine;

/// <summary>DESIGN section 3: what is computed does not depend on history, to the bit.</summary>
public sealed class ExactnessTests(EngineFixture engine)
{
    private const string Model = "quarter-rotary";

    public static TheoryData<int, KvDtype> Lengths()
    {
        var data = new TheoryData<int, KvDtype>();
        foreach (var dtype in (KvDtype[])[KvDtype.Float32, KvDtype.BFloat16])
        {
            foreach (var length in (int[])[1, 3, 255, 256, 257, 511, 513, 1500])
            {
                data.Add(length, dtype);
            }
        }

        return data;
    }

    [Theory, MemberData(nameof(Lengths))]
    public async Task Prefill_PageByPageOrWholeOrBesideOthers_SameBits(int length, KvDtype dtype)
    {
        var model = await engine.GoldenModelAsync(Model, dtype);
        var ids = Ids(length, seed: 1);
        using var alone = await ContextRun.PrefillAsync(model, ids);
        var whole = await model.ForwardAsync(new ForwardRequest { TokenIds = ids }, default);

        Assert.Equal(KvOf(alone), whole.Kv);

        // Beside two other contexts and asks: steps of all take turns.
        using var other = await ContextRun.PrefillAsync(model, Ids(300, seed: 2));
        var beside = ContextRun.PrefillAsync(model, ids, batch: true);
        var noise = Task.WhenAll(ContextRun.PrefillAsync(model, Ids(700, seed: 3)), ContextRun.PrefillAsync(model, Ids(90, seed: 4)));
        var asked = other.AskAsync(Ids(5, seed: 5), Options(12));
        using var mixed = await beside;
        await asked;
        foreach (var neighbour in await noise)
        {
            neighbour.Dispose();
        }

        Assert.Equal(alone.Bytes(), mixed.Bytes());
    }

    [Theory, MemberData(nameof(Lengths))]
    public async Task Ask_ResidentRestoredOrBesideOthers_SameTokensAndLogProbabilities(int length, KvDtype dtype)
    {
        var model = await engine.GoldenModelAsync(Model, dtype);
        var (ids, prompt) = (Ids(length, seed: 6), Ids(9, seed: 7));
        using var resident = await ContextRun.PrefillAsync(model, ids);
        using var restored = await ContextRun.RestoreAsync(model, ids, resident.Bytes());
        var before = resident.Bytes();
        var first = await resident.AskAsync(prompt, Options(10));
        var again = await restored.AskAsync(prompt, Options(10));
        var together = await Task.WhenAll(resident.AskAsync(prompt, Options(10)), resident.AskAsync(Ids(300, seed: 8), Options(10)), resident.AskAsync(prompt, Options(10), batch: true));

        Same(first, again);
        Same(first, together[0]);
        Same(first, together[2]);
        Assert.Equal(before, resident.Bytes()); // asks never write shared pages
        Assert.Equal(await resident.ScoreAsync(prompt), await restored.ScoreAsync(prompt));
    }

    [Theory]
    [InlineData("Golden/models/quarter-rotary", KvDtype.Float32)]
    [InlineData("Golden/models/quarter-rotary", KvDtype.BFloat16)]
    [InlineData("Golden/models/sharded-half", KvDtype.Float32)]
    [InlineData("Golden/models/sharded-half", KvDtype.BFloat16)]
    [InlineData("Models/ledger-4m", KvDtype.Float32)]
    [InlineData("Models/ledger-4m", KvDtype.BFloat16)]
    public async Task Ask_OtherEngineWithOtherThreads_SameBits(string path, KvDtype dtype)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, path);
        var model = await engine.ModelAsync(folder, dtype);
        var (ids, prompt) = (Ids(1500, seed: 9), Ids(20, seed: 10));
        using var first = await ContextRun.PrefillAsync(model, ids);
        var expected = await first.AskAsync(prompt, Options(10));
        foreach (var threads in (int[])[1, 2])
        {
            await using var second = new DeviceEngine(new EngineOptions { Threads = threads }, TimeProvider.System, NullLogger.Instance);
            var cache = new FingerprintCache(Path.Combine(AppContext.BaseDirectory, "fingerprints"));
            var loaded = await second.LoadAsync(folder, "again", new ModelLoadOptions(dtype, Fingerprints: cache));
            using var again = await ContextRun.PrefillAsync(loaded, ids);

            Assert.Equal(first.Bytes(), again.Bytes());
            Same(expected, await again.AskAsync(prompt, Options(10)));
            Assert.Equal(model.Numerics.Id, loaded.Numerics.Id);
            Assert.Equal(model.Fingerprint, loaded.Fingerprint);
        }
    }

    [Fact]
    public async Task Prompt_CutAtPageBoundaryOfTheSequence_SameAsOneThatStartsThere()
    {
        // 250 context tokens and 300 prompt tokens run as 250 | 6, 256, 38: the prompt's second step is the page [256, 512) of the longer context.
        var model = await engine.GoldenModelAsync(Model);
        var ids = Ids(550, seed: 11);
        using var whole = await ContextRun.PrefillAsync(model, ids[..512]);
        using var cut = await ContextRun.PrefillAsync(model, ids[..256]);
        var first = await whole.AskAsync(ids[512..], Options(8));
        var second = await cut.AskAsync(ids[256..], Options(8));

        Same(first, second);
    }

    internal static int[] Ids(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(128))];
    }

    internal static SamplingOptions Options(int tokens) => new() { MaxNewTokens = tokens, IgnoreEos = true, LogProbabilities = true };

    private static void Same(GenerationResult left, GenerationResult right)
    {
        Assert.Equal(left.TokenIds, right.TokenIds);
        Assert.Equal(left.LogProbabilities, right.LogProbabilities);
    }

    // Pages side by side along the tokens: [layers, 2, 1, kv_heads, tokens, head_dim].
    private static byte[] KvOf(ContextRun context)
    {
        var layout = context.Model.Layout;
        var row = layout.HeadDim * layout.Dtype.Bytes();
        using var joined = new MemoryStream();
        for (var plane = 0; plane < layout.Layers * 2 * layout.KvHeads; plane++)
        {
            foreach (var page in context.Pages)
            {
                joined.Write(page.Span.Slice(plane * page.Count * row, page.Count * row));
            }
        }

        return joined.ToArray();
    }
}
