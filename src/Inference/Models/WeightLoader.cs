using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Models;

/// <summary>Brings a checkpoint's tensors into the run's dtype.</summary>
/// <remarks>
/// A tensor that has the dtype already is used where it is mapped, if its elements are aligned. Our kernels give the same bits at any such address, and are as
/// fast: over weights 8 bytes off a cache line, of pythia-70m in float32, a decoded token took 6.8 to 7.6 ms and over weights on it 6.8 to 7.8 ms (AMD EPYC, 2 threads, 2026-11-27).
/// The bits of libtorch's may depend on their operands' alignment, so what runs in libtorch by rule, float64, must lie on a cache line, as a copy does (a
/// left-padded forward, which runs there in every dtype, is held to tolerances and not to bits). The others are copied once, and
/// the pages that they were read from are given back.
/// </remarks>
internal sealed class WeightLoader(Checkpoint checkpoint, KvDtype dtype)
{
    private const long CacheLine = 64;
    private readonly long _alignment = dtype == KvDtype.Float64 ? CacheLine : dtype.Bytes(); // float64 has no kernels of ours

    /// <summary>Gets the bytes of all tensors that were asked for, in the run's dtype.</summary>
    public long Bytes { get; private set; }

    /// <summary>Gets the bytes of those that are used where the file is mapped.</summary>
    public long MappedBytes { get; private set; }

    /// <summary>Gets a tensor, in the caller's dispose scope; it is disposed before the checkpoint.</summary>
    public Tensor Get(string name)
    {
        var stored = checkpoint.Get(name);
        var target = dtype.ToScalarType();
        var mapped = NativeTensor.Wrap(stored.Address, ToScalarType(stored), stored.Shape);
        Bytes += stored.Elements * dtype.Bytes();
        if (mapped.dtype == target && stored.Address % _alignment == 0)
        {
            MappedBytes += stored.Bytes;
            return mapped;
        }

        using (mapped)
        {
            var copied = mapped.to(target, copy: true);
            MappedPages.Release(stored.Address, stored.Bytes);
            return copied;
        }
    }

    private static ScalarType ToScalarType(SafetensorsTensor tensor) => tensor.Dtype switch
    {
        SafetensorsDtype.F16 => ScalarType.Float16,
        SafetensorsDtype.BF16 => ScalarType.BFloat16,
        SafetensorsDtype.F32 => ScalarType.Float32,
        SafetensorsDtype.F64 => ScalarType.Float64,
        _ => throw Unsupported(tensor),
    };

    private static Errors.InferenceException Unsupported(SafetensorsTensor tensor) => new(
        ErrorCode.CheckpointInvalid,
        $"Tensor '{tensor.Name}' is {tensor.Dtype.Name()}, which no weight can be.",
        "Use a checkpoint in float16, bfloat16, float32 or float64.");
}
