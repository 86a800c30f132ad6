using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Engine;

/// <summary>A model whose logits depend on how often it was asked before, so that its self-test fails.</summary>
/// <remarks>The tests of silos and of the command compile this file too.</remarks>
internal sealed class UnsteadyModel(ICausalModel inner, bool always) : ICausalModel
{
    public ModelConfig Config => inner.Config;

    public KvDtype Dtype => inner.Dtype;

    public long WeightBytes => inner.WeightBytes;

    public long MappedWeightBytes => inner.MappedWeightBytes;

    public string RotaryDigest => inner.RotaryDigest;

    public IRowModel? Rows { get; } = new UnsteadyRows(inner.Rows ?? throw new InvalidOperationException("The dtype has no row kernels."), always);

    /// <summary>Makes options whose model is unsteady, with a cache of its own: the user's must not learn its verdict.</summary>
    /// <param name="folder">Where the cache lies; each call makes another, so that each load is tested.</param>
    /// <param name="always">Whether all logits differ, not only the first: then answers differ too.</param>
    public static ModelLoadOptions Options(string folder, bool always = false) => new(Fingerprints: new FingerprintCache(Path.Combine(folder, $"cache-{Guid.NewGuid():N}")))
    {
        Prepare = inner => new UnsteadyModel(inner, always),
    };

    public Tensor? Run(ModelStep step) => inner.Run(step);

    public void Dispose()
    {
    }

    private sealed class UnsteadyRows(IRowModel inner, bool always) : IRowModel
    {
        private int _logits;

        public int MaxRows => inner.MaxRows;

        public long WorkspaceBytes => inner.WorkspaceBytes;

        public string InstructionSet => inner.InstructionSet;

        public bool Takes(ModelStep step) => inner.Takes(step);

        public bool Shares(ModelStep step) => inner.Shares(step);

        public RowLogits Run(IReadOnlyList<ModelStep> steps)
        {
            var logits = inner.Run(steps);
            for (var row = 0; row < logits.Rows; row++)
            {
                var count = _logits++;
                if (always || count == 0)
                {
                    // The native row is the workspace's until the next step, so it may be written.
                    ref var first = ref Unsafe.AsRef(in MemoryMarshal.GetReference(logits[row]));
                    first += 0.001f * (1 + (count % 1000));
                }
            }

            return logits;
        }

        public void Dispose()
        {
        }
    }
}
