using System.Runtime.InteropServices;

namespace Granary.Inference.Kernels;

/// <summary>float32 values in native memory, aligned to a cache line.</summary>
internal sealed unsafe class NativeRows : IDisposable
{
    private const nuint Alignment = 64;
    private float* _address;

    /// <param name="count">Values; they are zero at first.</param>
    public NativeRows(long count)
    {
        Bytes = Math.Max(count, 1) * sizeof(float);
        _address = (float*)NativeMemory.AlignedAlloc((nuint)Bytes, Alignment);
        NativeMemory.Clear(_address, (nuint)Bytes);
    }

    public float* Address => _address;

    public long Bytes { get; }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
    }
}
