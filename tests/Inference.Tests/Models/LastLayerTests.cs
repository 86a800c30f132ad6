using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Engine;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Models;

/// <summary>The last layer computes what is wanted of it: nothing less, and not another bit.</summary>
public sealed class LastLayerTests
{
    public static TheoryData<string, KvDtype, int> Steps()
    {
        var data = new TheoryData<string, KvDtype, int>();
        foreach (var name in (string[])["quarter-rotary", "serial", "head-80"])
        {
            foreach (var dtype in (KvDtype[])[KvDtype.Float32, KvDtype.BFloat16])
            {
                foreach (var rows in (int[])[1, 7, 32, 33, 100])
                {
                    data.Add(name, dtype, rows);
                }
            }
        }

        return data;
    }

    [Theory, MemberData(nameof(Steps))]
    public void Run_FewerLogits_AreTheSameBitsOverTheSameKv(string name, KvDtype dtype, int rows)
    {
        using var team = new KernelTeam(2);
        using var checkpoint = Checkpoint.Open(EngineFixture.Golden($"models/{name}"));
        using var mode = inference_mode();
        using var model = ModelFamilies.Load(checkpoint, dtype, team, KernelSet.Best);
        var layout = KvLayout.Of(model.Config, dtype, KvLayout.DefaultPageSize);

        var (all, kv) = Run(model, layout, rows, LogitRows.All);
        var (last, kvOfLast) = Run(model, layout, rows, LogitRows.Last);
        var (none, kvOfNone) = Run(model, layout, rows, LogitRows.None);

        Assert.Equal((rows, 1, 0), (all.Length, last.Length, none.Length));
        Assert.Equal(all[^1], last[0]);
        Assert.Equal(kv, kvOfLast);
        Assert.Equal(kv, kvOfNone);
    }

    [Theory]
    [InlineData("quarter-rotary")]
    [InlineData("serial")]
    public void Run_PromptsAndKvOnlyPagesTogether_EachAsAlone(string name)
    {
        using var team = new KernelTeam(2);
        using var checkpoint = Checkpoint.Open(EngineFixture.Golden($"models/{name}"));
        using var mode = inference_mode();
        using var model = ModelFamilies.Load(checkpoint, KvDtype.Float32, team, KernelSet.Best);
        var layout = KvLayout.Of(model.Config, KvDtype.Float32, KvLayout.DefaultPageSize);
        (int Rows, LogitRows Logits)[] wanted = [(9, LogitRows.None), (5, LogitRows.Last), (11, LogitRows.None), (3, LogitRows.All), (1, LogitRows.Last)];
        var targets = Array.ConvertAll(wanted, step => new KvMemory(layout, step.Rows, reservation: null));

        var rows = model.Rows ?? throw new InvalidOperationException("The dtype has row kernels.");
        var together = Bits(rows.Run([.. wanted.Zip(targets, (step, target) => Step(model, target, step.Rows, step.Logits))]));

        var first = 0;
        for (var index = 0; index < wanted.Length; index++)
        {
            var (alone, kv) = Run(model, layout, wanted[index].Rows, wanted[index].Logits);
            Assert.Equal(alone, together[first..(first + alone.Length)]);
            Assert.Equal(kv, targets[index].GetSpan().ToArray());
            first += alone.Length;
            targets[index].Release();
        }

        Assert.Equal(together.Length, first);
    }

    private static (int[][] Logits, byte[] Kv) Run(ICausalModel model, KvLayout layout, int rows, LogitRows wanted)
    {
        var target = new KvMemory(layout, rows, reservation: null);
        try
        {
            var logits = Bits((model.Rows ?? throw new InvalidOperationException("The dtype has row kernels.")).Run([Step(model, target, rows, wanted)]));
            return (logits, target.GetSpan().ToArray());
        }
        finally
        {
            target.Release();
        }
    }

    private static ModelStep Step(ICausalModel model, KvMemory target, int rows, LogitRows wanted) => new()
    {
        TokenIds = Enumerable.Range(0, rows).Select(index => (rows + (index * 31)) % model.Config.VocabularySize).ToArray(),
        Position = 0,
        Past = [],
        Target = target,
        Logits = wanted,
    };

    private static int[][] Bits(RowLogits logits) =>
        [.. Enumerable.Range(0, logits.Rows).Select(row => Array.ConvertAll(logits[row].ToArray(), BitConverter.SingleToInt32Bits))];
}
