using System.Runtime.InteropServices;

namespace Granary.Inference.Kernels;

/// <summary>float32 values in native memory, aligned to a cache line.</summary>
internal sealed unsafe class NativeRows : IDisposable
{
    private static long _liveBytes;
    private float* _address;

    /// <param name="count">Values.</param>
    /// <param name="zeroed">Whether they are zero at first, and not undefined.</param>
    public NativeRows(long count, bool zeroed = true)
    {
        Bytes = Math.Max(count, 1) * sizeof(float);
        _address = (float*)HugePages.Allocate(Bytes);
        if (zeroed)
        {
            NativeMemory.Clear(_address, (nuint)Bytes);
        }

        Interlocked.Add(ref _liveBytes, Bytes);
    }

    /// <summary>Gets the bytes of all that were not disposed, in this process: for tests, which no allocator's arena can deceive.</summary>
    public static long LiveBytes => Interlocked.Read(ref _liveBytes);

    /// <summary>Allocates several of one size, all or none.</summary>
    public static NativeRows[] AllocateEach(int number, long count)
    {
        var all = new List<NativeRows>(number);
        try
        {
            while (all.Count < number)
            {
                all.Add(new NativeRows(count));
            }

            return [.. all];
        }
        catch
        {
            all.ForEach(static rows => rows.Dispose());
            throw;
        }
    }

    public float* Address => _address;

    public long Bytes { get; }

    public void Dispose()
    {
        if (_address is not null)
        {
            Interlocked.Add(ref _liveBytes, -Bytes);
            NativeMemory.AlignedFree(_address);
            _address = null;
        }
    }
}
