using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using Granary.Inference.Tests.Engine;
using Granary.Inference.Tests.Kernels;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Models;

/// <summary>A step in our kernels, of each instruction set, against the same step in libtorch: few rows and many, over a past and without.</summary>
/// <remarks>
/// Tolerances, as a share of the largest logit: float32 5e-6, the kernels only add in another order; bfloat16 2e-2, for libtorch rounds every activation to
/// 8 bits and the kernels round keys and values only. Between 32 and 33 rows our kernels change from rows to panels.
/// </remarks>
public sealed class OracleTests
{
    private const int PastTokens = 300;

    public static TheoryData<string, string, int> Sets()
    {
        var data = new TheoryData<string, string, int>();
        foreach (var row in KernelSets.OfModels())
        {
            foreach (var name in (string[])["quarter-rotary", "serial", "head-80", "full-rotary-tanh"])
            {
                data.Add(name, row.Data.Item1, row.Data.Item2);
            }
        }

        return data;
    }

    [Theory, MemberData(nameof(Sets))]
    public void Run_OurKernels_AgreeWithLibtorch(string name, string set, int bytes)
    {
        var dtype = bytes == sizeof(float) ? KvDtype.Float32 : KvDtype.BFloat16;
        using var team = new KernelTeam(2);
        using var checkpoint = Checkpoint.Open(EngineFixture.Golden($"models/{name}"));
        using var mode = inference_mode();
        using var model = ModelFamilies.Load(checkpoint, dtype, team, KernelSets.Both(set));
        var layout = KvLayout.Of(model.Config, dtype);
        var past = Past(model, layout);
        foreach (var rows in (int[])[1, 5, 32, 33, 150])
        {
            foreach (var over in (KvRun[][])[[], past])
            {
                var before = over.Sum(run => run.Count);
                if (before + rows > model.Config.Window)
                {
                    continue;
                }

                var (ours, theirs) = (new KvMemory(layout, rows, reservation: null), new KvMemory(layout, rows, reservation: null));
                var logits = Logits(model, Step(model, over, ours, before, rows));
                var expected = Oracle(model, Step(model, over, theirs, before, rows));

                var tolerance = dtype == KvDtype.Float32 ? 5e-6 : 2e-2;
                Assert.InRange(Apart(expected, logits), 0, tolerance);
                Assert.InRange(Apart(Floats(theirs), Floats(ours)), 0, tolerance);
                ours.Release();
                theirs.Release();
            }
        }

        Array.ForEach(past, run => run.Memory.Release());
    }

    // Two pages, the second in part, by libtorch.
    private static KvRun[] Past(ICausalModel model, KvLayout layout)
    {
        var (first, second) = (new KvMemory(layout, layout.PageSize, reservation: null), new KvMemory(layout, PastTokens - layout.PageSize, reservation: null));
        var whole = new KvRun(first, layout.PageSize);
        model.Run(Step(model, [], first, 0, layout.PageSize))?.Dispose();
        model.Run(Step(model, [whole], second, layout.PageSize, second.Capacity))?.Dispose();
        return [whole, new KvRun(second, second.Capacity)];
    }

    private static ModelStep Step(ICausalModel model, KvRun[] past, KvMemory target, int position, int rows) => new()
    {
        TokenIds = Enumerable.Range(position, rows).Select(place => 1 + (place * 37 % (model.Config.VocabularySize - 1))).ToArray(),
        Position = position,
        Past = past,
        Target = target,
        Logits = LogitRows.All,
    };

    private static double[] Logits(ICausalModel model, ModelStep step)
    {
        var rows = (model.Rows ?? throw new InvalidOperationException("The dtype has kernels.")).Run([step]);
        return [.. Enumerable.Range(0, rows.Rows).SelectMany(row => rows[row].ToArray()).Select(logit => (double)logit)];
    }

    private static double[] Oracle(ICausalModel model, ModelStep step)
    {
        using var logits = model.Run(step) ?? throw new InvalidOperationException("The step gave no logits.");
        using var doubles = logits.to(ScalarType.Float64); // [rows, vocab]
        return doubles.data<double>().ToArray();
    }

    private static double[] Floats(KvMemory memory)
    {
        using var stored = NativeTensor.Wrap(memory);
        using var doubles = stored.to(ScalarType.Float64); // [layers, 2, 1, kv_heads, rows, head_dim]
        return doubles.data<double>().ToArray();
    }

    private static double Apart(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return expected.Zip(actual, (left, right) => Math.Abs(left - right)).Max() / expected.Max(Math.Abs);
    }
}
