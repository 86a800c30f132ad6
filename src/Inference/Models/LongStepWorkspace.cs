using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;

namespace Granary.Inference.Models;

/// <summary>The working memory of a long step, as large as the longest one needed. Rows are padded to whole panels.</summary>
internal sealed unsafe class LongStepWorkspace : IDisposable
{
    /// <summary>The elements of a weight's width that are packed at a time: 256 KiB of a core's second cache with 32 outputs.</summary>
    public const int PanelWidth = 2048;

    private readonly int _stateStride;
    private readonly NativeRows[] _panels;
    private readonly long _width;
    private NativeRows _memory;
    private NativeRows[] _states;
    private int _rows;

    /// <param name="config">The model's shape.</param>
    /// <param name="outputs">Outputs of a panel.</param>
    /// <param name="stateStride">Floats of a softmax state.</param>
    /// <param name="threads">Threads that work at once.</param>
    public LongStepWorkspace(ModelConfig config, int outputs, int stateStride, int threads)
    {
        _stateStride = stateStride;
        HiddenStride = Padded(config.HiddenSize);
        QueryKeyValueStride = Padded(3 * config.HiddenSize);
        InnerStride = Padded(config.IntermediateSize);
        _width = (5L * HiddenStride) + QueryKeyValueStride + InnerStride;
        _panels = NativeRows.AllocateEach(threads, (long)outputs * PanelWidth);
        try
        {
            (_memory, _states) = Allocate(threads, 0);
        }
        catch
        {
            Dispose(_panels);
            throw;
        }

        int Padded(int width) => (width + outputs - 1) / outputs * outputs;
    }

    /// <summary>Gets the floats between two rows of what has [rows, hidden].</summary>
    public int HiddenStride { get; }

    /// <summary>Gets the floats between two rows of <see cref="QueryKeyValue"/>.</summary>
    public int QueryKeyValueStride { get; }

    /// <summary>Gets the floats between two rows of <see cref="Inner"/>.</summary>
    public int InnerStride { get; }

    /// <summary>Gets [rows, hidden].</summary>
    public float* Hidden => _memory.Address;

    /// <summary>Gets [rows, hidden], normalized.</summary>
    public float* AttentionInput => Hidden + ((long)_rows * HiddenStride);

    /// <summary>Gets [rows, hidden], normalized.</summary>
    public float* FeedForwardInput => AttentionInput + ((long)_rows * HiddenStride);

    /// <summary>Gets [rows, heads * head_dim].</summary>
    public float* Attended => FeedForwardInput + ((long)_rows * HiddenStride);

    /// <summary>Gets [rows, hidden].</summary>
    public float* Joined => Attended + ((long)_rows * HiddenStride);

    /// <summary>Gets [rows, heads, q k v, head_dim].</summary>
    public float* QueryKeyValue => Joined + ((long)_rows * HiddenStride);

    /// <summary>Gets [rows, intermediate].</summary>
    public float* Inner => QueryKeyValue + ((long)_rows * QueryKeyValueStride);

    /// <summary>Gets the bytes held now.</summary>
    public long Bytes => _memory.Bytes + _panels.Sum(static memory => memory.Bytes) + _states.Sum(static memory => memory.Bytes);

    /// <summary>Gets a thread's room for a panel.</summary>
    /// <returns>[<see cref="PanelWidth"/>, outputs].</returns>
    public float* Panel(int thread) => _panels[thread].Address;

    /// <summary>Gets a thread's room for softmax states.</summary>
    /// <returns>[rows, state].</returns>
    public float* States(int thread) => _states[thread].Address;

    /// <summary>Makes room.</summary>
    /// <param name="rows">Rows of the next step.</param>
    public void Reserve(int rows)
    {
        if (rows <= _rows)
        {
            return;
        }

        // New before old: where there is no room, the old is still good.
        var (memory, states) = Allocate(_panels.Length, rows);
        _memory.Dispose();
        Dispose(_states);
        (_rows, _memory, _states) = (rows, memory, states);
    }

    public void Dispose()
    {
        _memory.Dispose();
        Dispose(_states);
        Dispose(_panels);
    }

    private (NativeRows Memory, NativeRows[] States) Allocate(int threads, int rows)
    {
        var memory = new NativeRows(rows * _width);
        try
        {
            return (memory, NativeRows.AllocateEach(threads, (long)rows * _stateStride));
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private static void Dispose(NativeRows[] each)
    {
        foreach (var memory in each)
        {
            memory.Dispose();
        }
    }
}
