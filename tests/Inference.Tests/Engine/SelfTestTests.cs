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

    [Theory]
    [InlineData(KvDtype.Float32)]
    [InlineData(KvDtype.BFloat16)]
    public async Task Load_ModelThatNeighboursChange_IsInexact(KvDtype dtype)
    {
        var exact = await LoadAsync(dtype, static inner => inner);
        Directory.Delete(_cache, recursive: true);
        var model = await LoadAsync(dtype, static inner => new Dependent(inner));
        var again = await LoadAsync(dtype, static inner => inner); // the verdict is kept: nothing is tested

        Assert.False(model.Numerics.Exact);
        Assert.Equal("inexact", model.Numerics.Parts["history"]);
        Assert.NotEqual(exact.Numerics.Id, model.Numerics.Id);
        Assert.Equal(model.Numerics.Id, again.Numerics.Id);
        await exact.UnloadAsync();
        await model.UnloadAsync();
        await again.UnloadAsync();
    }

    [Fact]
    public async Task Load_PageThatDependsOnTheOneBefore_IsInexact()
    {
        var model = await LoadAsync(KvDtype.Float64, static inner => new Forgetful(inner));

        Assert.False(model.Numerics.Exact);
        await model.UnloadAsync();
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

    // Rows whose last bit depends on how many there are.
    private sealed class Dependent(ICausalModel inner) : ICausalModel
    {
        public ModelConfig Config => inner.Config;

        public KvDtype Dtype => inner.Dtype;

        public long WeightBytes => inner.WeightBytes;

        public IRowModel? Rows { get; } = new DependentRows(inner.Rows ?? throw new InvalidOperationException("The dtype has no row kernels."));

        public Tensor? Run(ModelStep step) => inner.Run(step);

        public void Dispose()
        {
        }
    }

    private sealed class DependentRows(IRowModel inner) : IRowModel
    {
        public int MaxRows => inner.MaxRows;

        public long WorkspaceBytes => inner.WorkspaceBytes;

        public string InstructionSet => inner.InstructionSet;

        public bool Takes(ModelStep step) => inner.Takes(step);

        public bool Shares(ModelStep step) => inner.Shares(step);

        public unsafe RowLogits Run(IReadOnlyList<ModelStep> steps)
        {
            var logits = inner.Run(steps);
            if (steps.Count > 1)
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
    }

    // Steps whose logits count the steps before.
    private sealed class Forgetful(ICausalModel inner) : ICausalModel
    {
        private int _steps;

        public ModelConfig Config => inner.Config;

        public KvDtype Dtype => inner.Dtype;

        public long WeightBytes => inner.WeightBytes;

        public IRowModel? Rows => null;

        public Tensor? Run(ModelStep step) => inner.Run(step)?.add_(1e-9 * _steps++);

        public void Dispose()
        {
        }
    }
}
