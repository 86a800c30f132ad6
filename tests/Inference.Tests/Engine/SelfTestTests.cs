using System.Text.Json.Nodes;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Engine;

/// <summary>The self-test at load: passed here, and its failure is said in the numerics id.</summary>
public sealed class SelfTestTests(EngineFixture engine) : IDisposable
{
    private readonly string _cache = Directory.CreateTempSubdirectory("granary-self-test-").FullName;

    [Theory]
    [InlineData(KvDtype.Float32)]
    [InlineData(KvDtype.BFloat16)]
    [InlineData(KvDtype.Float64)]
    public async Task Load_OnThisMachine_PassesAndIsKept(KvDtype dtype)
    {
        var model = await LoadAsync(dtype, static inner => inner);

        Assert.True(model.Numerics.Exact);
        Assert.DoesNotContain("history", model.Numerics.Parts.Keys);
        Assert.Equal("exact", File.ReadAllText(Assert.Single(Directory.GetFiles(_cache, "self-test-*"))));
        await model.UnloadAsync();
    }

    [Fact]
    public async Task Load_NoVerdictThenAKeptOne_TimesTheTestOnce()
    {
        var tested = await LoadAsync(KvDtype.Float32, static inner => inner);
        var kept = await LoadAsync(KvDtype.Float32, static inner => inner);

        var time = Assert.NotNull(tested.SelfTestTime);
        Assert.InRange(time, TimeSpan.FromTicks(1), tested.LoadTime);
        Assert.Null(kept.SelfTestTime);
        Assert.True(kept.LoadTime > TimeSpan.Zero);
        await tested.UnloadAsync();
        await kept.UnloadAsync();
    }

    [Theory]
    [InlineData(KvDtype.Float32, Dependence.Neighbours)]
    [InlineData(KvDtype.BFloat16, Dependence.Neighbours)]
    [InlineData(KvDtype.Float32, Dependence.SharedContext)]
    [InlineData(KvDtype.Float32, Dependence.LongPromptAfterOthers)]
    public async Task Load_ModelWhoseBitsDependOnHistory_IsInexact(KvDtype dtype, Dependence dependence)
    {
        var exact = await LoadAsync(dtype, static inner => inner);
        Directory.Delete(_cache, recursive: true);
        var model = await LoadAsync(dtype, inner => new Dependent(inner, dependence));
        var again = await LoadAsync(dtype, static inner => inner); // the verdict is kept: nothing is tested

        Assert.False(model.Numerics.Exact);
        Assert.Equal("inexact", model.Numerics.Parts["history"]);
        Assert.NotEqual(exact.Numerics.Id, model.Numerics.Id);
        Assert.Equal(model.Numerics.Id, again.Numerics.Id);
        await exact.UnloadAsync();
        await model.UnloadAsync();
        await again.UnloadAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Load_LogitsThatDependOnTheOnesBefore_IsInexact(bool always)
    {
        var model = await engine.Engine.LoadAsync(EngineFixture.Golden("models/quarter-rotary"), "unsteady", UnsteadyModel.Options(_cache, always));

        Assert.False(model.Numerics.Exact);
        Assert.NotNull(model.SelfTestTime);
        await model.UnloadAsync();
    }

    [Fact]
    public async Task Load_PageThatDependsOnTheOneBefore_IsInexact()
    {
        var model = await LoadAsync(KvDtype.Float64, static inner => new Forgetful(inner));

        Assert.False(model.Numerics.Exact);
        await model.UnloadAsync();
    }

    public static MatrixTheoryData<int, KvDtype> Windows => new([1, 2, 5, 8, 9, 10, 42, 43, 48, 81, 82], [KvDtype.Float32, KvDtype.BFloat16, KvDtype.Float64]);

    [Theory, MemberData(nameof(Windows))]
    public async Task Load_SmallWindow_StaysWithinIt(int window, KvDtype dtype)
    {
        var folder = Directory.CreateTempSubdirectory("granary-window-").FullName;
        try
        {
            foreach (var file in Directory.GetFiles(EngineFixture.Golden("models/quarter-rotary")))
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!;
            config["max_position_embeddings"] = window;
            File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
            Bounded? bounded = null;

            var model = await engine.Engine.LoadAsync(
                folder, "small", new ModelLoadOptions(dtype, Fingerprints: new FingerprintCache(_cache)) { Prepare = inner => bounded = new Bounded(inner) });

            Assert.True(model.Numerics.Exact);
            Assert.Equal(window, bounded!.Seen); // as far as the window goes, or the test's sequences
            await model.UnloadAsync();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(_cache))
        {
            Directory.Delete(_cache, recursive: true);
        }
    }

    private Task<LoadedModel> LoadAsync(KvDtype dtype, Func<ICausalModel, ICausalModel> prepare) => engine.Engine.LoadAsync(
        EngineFixture.Golden("models/quarter-rotary"),
        "self-tested",
        new ModelLoadOptions(dtype, Fingerprints: new FingerprintCache(_cache)) { Prepare = prepare });

    public enum Dependence
    {
        Neighbours,
        SharedContext,
        LongPromptAfterOthers,
    }

    // Refuses a step that leaves the window, its page or its tail.
    private sealed class Bounded(ICausalModel inner) : ICausalModel
    {
        public int Seen { get; private set; }

        public ModelConfig Config => inner.Config;

        public KvDtype Dtype => inner.Dtype;

        public long WeightBytes => inner.WeightBytes;

        public long MappedWeightBytes => inner.MappedWeightBytes;

        public string RotaryDigest => inner.RotaryDigest;

        public IRowModel? Rows => inner.Rows is { } rows ? new BoundedRows(rows, Check) : null;

        public Tensor? Run(ModelStep step)
        {
            Check(step);
            return inner.Run(step);
        }

        public void Dispose() => inner.Dispose();

        private void Check(ModelStep step)
        {
            var end = (int)step.Position + step.TokenIds.Length;
            Assert.InRange(step.TokenIds.Length, 1, Config.Window);
            Assert.InRange(end, 1, Config.Window);
            Assert.InRange(step.TargetOffset + step.TokenIds.Length, 1, step.Target!.Capacity);
            Seen = Math.Max(Seen, end);
        }
    }

    private sealed class BoundedRows(IRowModel inner, Action<ModelStep> check) : IRowModel
    {
        public int MaxRows => inner.MaxRows;

        public long WorkspaceBytes => inner.WorkspaceBytes;

        public string InstructionSet => inner.InstructionSet;

        public bool Takes(ModelStep step) => inner.Takes(step);

        public bool Shares(ModelStep step) => inner.Shares(step);

        public RowLogits Run(IReadOnlyList<ModelStep> steps)
        {
            foreach (var step in steps)
            {
                check(step);
            }

            return inner.Run(steps);
        }

        public void Dispose() => inner.Dispose();
    }

    // Logits whose last bit depends on what ran beside or before.
    private sealed class Dependent(ICausalModel inner, Dependence dependence) : ICausalModel
    {
        public ModelConfig Config => inner.Config;

        public KvDtype Dtype => inner.Dtype;

        public long WeightBytes => inner.WeightBytes;

        public long MappedWeightBytes => inner.MappedWeightBytes;

        public string RotaryDigest => inner.RotaryDigest;

        public IRowModel? Rows { get; } = new DependentRows(inner.Rows ?? throw new InvalidOperationException("The dtype has no row kernels."), dependence);

        public Tensor? Run(ModelStep step) => inner.Run(step);

        public void Dispose()
        {
        }
    }

    private sealed class DependentRows(IRowModel inner, Dependence dependence) : IRowModel
    {
        private int _pages;

        public int MaxRows => inner.MaxRows;

        public long WorkspaceBytes => inner.WorkspaceBytes;

        public string InstructionSet => inner.InstructionSet;

        public bool Takes(ModelStep step) => inner.Takes(step);

        public bool Shares(ModelStep step) => inner.Shares(step);

        public unsafe RowLogits Run(IReadOnlyList<ModelStep> steps)
        {
            var logits = inner.Run(steps);
            _pages += steps[0].Logits == LogitRows.None ? 1 : 0;
            if (Changes(steps))
            {
                for (var row = 0; row < logits.Rows; row++)
                {
                    fixed (float* first = logits[row])
                    {
                        *first = MathF.BitIncrement(*first);
                    }
                }
            }

            return logits;
        }

        public void Dispose()
        {
        }

        private bool Changes(IReadOnlyList<ModelStep> steps) => dependence switch
        {
            Dependence.Neighbours => steps.Count > 1,
            Dependence.SharedContext => steps.Count > 1 && steps[0].Past[0].Memory == steps[1].Past[0].Memory,
            _ => steps.Count == 1 && !Shares(steps[0]) && _pages > 1,
        };
    }

    // Steps whose logits count the steps before.
    private sealed class Forgetful(ICausalModel inner) : ICausalModel
    {
        private int _steps;

        public ModelConfig Config => inner.Config;

        public KvDtype Dtype => inner.Dtype;

        public long WeightBytes => inner.WeightBytes;

        public long MappedWeightBytes => inner.MappedWeightBytes;

        public string RotaryDigest => inner.RotaryDigest;

        public IRowModel? Rows => null;

        public Tensor? Run(ModelStep step) => inner.Run(step)?.add_(1e-9 * _steps++);

        public void Dispose()
        {
        }
    }
}
