using System.Buffers;
using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;
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
/// left-padded forward, which runs there in every dtype, is held to tolerances and not to bits). The others are read from the file, slice by slice on all cores, and converted into one
/// stretch of memory for all, in huge pages: a page fault for every 4 KiB that is read or written costs more than the conversion.
/// </remarks>
internal sealed unsafe class WeightLoader
{
    private const long CacheLine = 64;
    private const int SliceElements = 1 << 16; // read and converted while they are in the cache
    private readonly Checkpoint _checkpoint;
    private readonly KvDtype _dtype;
    private readonly long _alignment;
    private readonly Dictionary<string, long> _places = []; // of the copies, in their memory

    public WeightLoader(Checkpoint checkpoint, KvDtype dtype)
    {
        (_checkpoint, _dtype) = (checkpoint, dtype);
        _alignment = dtype == KvDtype.Float64 ? CacheLine : dtype.Bytes(); // float64 has no kernels of ours
        var bytes = 0L;
        foreach (var tensor in checkpoint.TensorNames.Select(checkpoint.Get).Where(tensor => !IsUsedWhereItLies(tensor)))
        {
            _places[tensor.Name] = bytes;
            bytes += ((tensor.Elements * dtype.Bytes()) + CacheLine - 1) / CacheLine * CacheLine;
        }

        Copies = bytes == 0 ? null : new NativeRows(bytes / sizeof(float), zeroed: false);
    }

    /// <summary>Gets the memory of the tensors that were not used where the file is mapped; the caller's, who disposes it after the last of them.</summary>
    public NativeRows? Copies { get; }

    /// <summary>Gets the bytes of all tensors that were asked for, in the run's dtype.</summary>
    public long Bytes { get; private set; }

    /// <summary>Gets the bytes of those that are used where the file is mapped.</summary>
    public long MappedBytes { get; private set; }

    /// <summary>Gets a tensor that the model needs, in the caller's dispose scope; it is disposed before the checkpoint and before <see cref="Copies"/>.</summary>
    /// <exception cref="Errors.InferenceException"><c>CheckpointInvalid</c>: the file holds no such tensor, or cannot be read any more.</exception>
    public Tensor Get(string name)
    {
        var stored = _checkpoint.Get(name);
        Bytes += stored.Elements * _dtype.Bytes();
        if (Copies is null || !_places.TryGetValue(name, out var place))
        {
            MappedBytes += stored.Bytes;
            return NativeTensor.Wrap(stored.Address, ToScalarType(stored), stored.Shape);
        }

        var target = (nint)Copies.Address + (nint)place;
        Convert(stored, target);
        return NativeTensor.Wrap(target, _dtype.ToScalarType(), stored.Shape);
    }

    private bool IsUsedWhereItLies(SafetensorsTensor stored) => ToScalarType(stored) == _dtype.ToScalarType() && stored.Address % _alignment == 0;

    private void Convert(SafetensorsTensor stored, nint target)
    {
        var slices = (int)((stored.Elements + SliceElements - 1) / SliceElements);
        ParallelReads.Run(slices, slice => ConvertSlice(stored, (long)slice * SliceElements, target));
    }

    private void ConvertSlice(SafetensorsTensor stored, long first, nint target)
    {
        var count = (int)Math.Min(SliceElements, stored.Elements - first);
        var to = (byte*)target + (first * _dtype.Bytes());
        var elementBytes = stored.Dtype.Bytes();
        if (ToScalarType(stored) == _dtype.ToScalarType())
        {
            stored.Read(first * elementBytes, new Span<byte>(to, count * elementBytes)); // only its place is wrong
            return;
        }

        var bytes = ArrayPool<byte>.Shared.Rent(count * elementBytes);
        var singles = ArrayPool<float>.Shared.Rent(count);
        try
        {
            var elements = bytes.AsSpan(0, count * elementBytes);
            stored.Read(first * elementBytes, elements);
            WeightConversion.Convert(elements, stored.Dtype, singles.AsSpan(0, count), to, _dtype);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            ArrayPool<float>.Shared.Return(singles);
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
