using System.Numerics;
using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

/// <summary>Reads a stretch of memory once, with all threads of a team, sums and nothing else.</summary>
internal sealed unsafe class MemoryRead : IDisposable
{
    private const int ChunkFloats = 1 << 16; // 256 KiB
    private readonly KernelTeam _team;
    private readonly NativeRows _memory;
    private readonly Action<int> _readChunk;
    private readonly int _chunks;
    private readonly float[] _sums;

    /// <param name="team">Its threads read.</param>
    /// <param name="bytes">How many; rounded down to whole chunks of 256 KiB, at least one.</param>
    public MemoryRead(KernelTeam team, long bytes)
    {
        _team = team;
        _chunks = (int)Math.Max(1, bytes / sizeof(float) / ChunkFloats);
        _memory = new NativeRows((long)_chunks * ChunkFloats);
        _sums = new float[_chunks];
        _readChunk = ReadChunk;
    }

    /// <summary>Gets the bytes that a run reads.</summary>
    public long Bytes => _memory.Bytes;

    /// <summary>Reads all of it.</summary>
    /// <returns>The sum of the memory's zeros, so that no read can be left out.</returns>
    public float Run()
    {
        _team.Run(_chunks, _readChunk);
        return _sums.Sum();
    }

    public void Dispose() => _memory.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadChunk(int chunk)
    {
        // Two streams: on an AMD EPYC (Zen 4) a tenth faster than one, and than one with prefetches (2026-11-27).
        var lower = _memory.Address + ((long)chunk * ChunkFloats);
        var upper = lower + (ChunkFloats / 2);
        Vector<float> first = default, second = default, third = default, fourth = default;
        for (var end = upper; lower < end; lower += 2 * Vector<float>.Count, upper += 2 * Vector<float>.Count)
        {
            first += Vector.Load(lower);
            second += Vector.Load(lower + Vector<float>.Count);
            third += Vector.Load(upper);
            fourth += Vector.Load(upper + Vector<float>.Count);
        }

        _sums[chunk] = Vector.Sum(first + second + (third + fourth));
    }
}
