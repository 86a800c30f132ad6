using System.Runtime.InteropServices;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Tensors;

/// <summary>Tensors over memory that libtorch does not own.</summary>
/// <remarks>
/// TorchSharp's public <c>frombuffer</c> takes managed arrays only; the native function behind it takes any pointer (TorchSharp 0.107.0, THSTensor.cpp).
/// The memory must outlive every tensor over it.
/// </remarks>
internal static unsafe partial class NativeTensor
{
    // Called by libtorch from native code when a tensor goes; held here so that the collector does not take it. The memory has an owner already.
    private static readonly Deleter Keep = static _ => { };

    private delegate void Deleter(nint address);

    /// <summary>Views memory as a tensor.</summary>
    /// <param name="address">Where it lies.</param>
    /// <param name="dtype">Its elements.</param>
    /// <param name="shape">Row-major.</param>
    /// <returns>A view of <paramref name="shape"/>; the caller disposes it.</returns>
    public static Tensor Wrap(nint address, ScalarType dtype, ReadOnlySpan<long> shape)
    {
        var elements = 1L;
        foreach (var size in shape)
        {
            elements *= size;
        }

        var handle = THSTensor_frombuffer(address, Keep, elements, 0, (sbyte)dtype, (sbyte)dtype, 0, -1, false);
        if (handle == 0)
        {
            CheckForErrors();
        }

        using var flat = Tensor.UnsafeCreateTensor(handle);
        return flat.view(shape.ToArray()); // [shape]
    }

    /// <summary>Views KV memory as a tensor.</summary>
    /// <param name="memory">The memory.</param>
    /// <returns>[layers, 2, 1, kv_heads, capacity, head_dim]; the caller disposes it.</returns>
    public static Tensor Wrap(KvMemory memory)
    {
        var layout = memory.Layout;
        return Wrap(memory.Address, layout.Dtype.ToScalarType(), [layout.Layers, 2, 1, layout.KvHeads, memory.Capacity, layout.HeadDim]);
    }

    /// <summary>Gets where a contiguous tensor's elements lie, valid while the tensor lives.</summary>
    public static nint AddressOf(Tensor tensor) => tensor.is_contiguous() ? THSTensor_data(tensor.Handle) : throw new ArgumentException("The tensor is not contiguous.", nameof(tensor));

    /// <summary>Copies a tensor's elements out as bytes.</summary>
    /// <param name="tensor">Contiguous or not; on the CPU, below 2 GiB.</param>
    /// <returns>Row-major elements.</returns>
    public static byte[] ToBytes(Tensor tensor)
    {
        using var contiguous = tensor.contiguous();
        return contiguous.bytes.ToArray();
    }

    /// <summary>Gets libtorch's name of a dtype.</summary>
    public static ScalarType ToScalarType(this KvDtype dtype) => dtype switch
    {
        KvDtype.BFloat16 => ScalarType.BFloat16,
        KvDtype.Float64 => ScalarType.Float64,
        _ => ScalarType.Float32,
    };

    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_data(nint tensor);

    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_frombuffer(nint address, Deleter deleter, long count, long offset, sbyte type, sbyte dtype, int deviceType, int deviceIndex, [MarshalAs(UnmanagedType.U1)] bool requiresGrad);
}
