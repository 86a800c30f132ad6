using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Models;

/// <summary>A decoder on a device. Used and disposed on that device's thread only (invariant 7).</summary>
internal interface ICausalModel : IDisposable
{
    ModelConfig Config { get; }

    KvDtype Dtype { get; }

    /// <summary>Gets the bytes of the weights as the device holds them, those used in place included.</summary>
    long WeightBytes { get; }

    /// <summary>Gets the bytes of those weights that are used where the file is mapped.</summary>
    long MappedWeightBytes { get; }

    /// <summary>Gets a digest of what turns keys and queries by their positions, which libtorch computed: of all that a float32 or bfloat16 result is made from, the one thing that our kernels do not compute.</summary>
    string RotaryDigest { get; }

    /// <summary>Gets what runs short steps of many sequences together; <see langword="null"/> where the device or dtype has nothing but <see cref="Run"/>.</summary>
    IRowModel? Rows { get; }

    /// <summary>Computes a step.</summary>
    /// <param name="step">The step; its memory is borrowed.</param>
    /// <returns>[logit_rows, vocab] in the run's dtype, the caller's; <see langword="null"/> without logits.</returns>
    Tensor? Run(ModelStep step);
}
