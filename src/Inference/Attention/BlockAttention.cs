using System.Numerics.Tensors;
using Granary.Inference.Kernels;

namespace Granary.Inference.Attention;

/// <summary>Attention of many rows of one sequence and head, by blocks of tokens (Dao et al. 2022, FlashAttention; on a CPU, in panels).</summary>
/// <remarks>A row's softmax goes through its runs of tokens in order, each in blocks from the run's start, whatever rows stand beside it.</remarks>
internal sealed unsafe class BlockAttention : IDisposable
{
    /// <summary>The tokens of a block: a page must be a multiple.</summary>
    public const int BlockTokens = 256;

    private readonly RowKernels _rows;
    private readonly PanelKernels _panels;
    private readonly int _headDim;
    private readonly NativeRows[] _scratch; // one for each thread of the team
    private readonly float* _zeros;
    private readonly NativeRows _noStart;

    /// <param name="rows">Softmax.</param>
    /// <param name="panels">Products.</param>
    /// <param name="headDim">Channels of a head.</param>
    /// <param name="threads">Threads that attend at once.</param>
    public BlockAttention(RowKernels rows, PanelKernels panels, int headDim, int threads)
    {
        (_rows, _panels, _headDim) = (rows, panels, headDim);
        ChannelPanels = (headDim + panels.Outputs - 1) / panels.Outputs;
        StateStride = RowKernels.StateSums + (ChannelPanels * panels.Outputs);
        _noStart = new NativeRows(panels.Outputs);
        _zeros = _noStart.Address;
        try
        {
            _scratch = NativeRows.AllocateEach(threads, ScoresAt + ((long)PanelKernels.TileRows * BlockTokens));
        }
        catch
        {
            _noStart.Dispose();
            throw;
        }
    }

    /// <summary>Gets the floats between two softmax states: those of <see cref="RowKernels"/>, whose sums are padded to whole panels.</summary>
    public int StateStride { get; }

    /// <summary>Gets the bytes of working memory.</summary>
    public long Bytes => _noStart.Bytes + _scratch.Sum(static memory => memory.Bytes);

    private int ChannelPanels { get; }

    private long ValuesAt => (long)BlockTokens * _headDim;

    private long ScoresAt => ValuesAt + ((long)ChannelPanels * BlockTokens * _panels.Outputs);

    /// <summary>Begins the softmax of rows.</summary>
    /// <param name="states">[count, <see cref="StateStride"/>].</param>
    /// <param name="count">Rows.</param>
    public void Begin(float* states, int count)
    {
        new Span<float>(states, count * StateStride).Clear();
        for (var row = 0; row < count; row++)
        {
            states[(long)row * StateStride] = float.NegativeInfinity;
        }
    }

    /// <summary>Attends rows to a run of tokens, continuing each row's softmax.</summary>
    /// <param name="queries">[count, head_dim] float32, scaled.</param>
    /// <param name="stride">Floats between two queries.</param>
    /// <param name="count">Rows.</param>
    /// <param name="keys">[tokens, head_dim] stored elements.</param>
    /// <param name="values">[tokens, head_dim] stored elements.</param>
    /// <param name="tokens">Tokens of the run.</param>
    /// <param name="seen">How many of them the first row sees; each row sees one more than the row before it, up to all. <paramref name="tokens"/> where there is no mask.</param>
    /// <param name="states">[count, <see cref="StateStride"/>].</param>
    public void Attend(float* queries, nint stride, int count, byte* keys, byte* values, int tokens, int seen, float* states)
    {
        var tokenBytes = (long)_headDim * _rows.ElementBytes;
        for (var start = 0; start < tokens; start += BlockTokens)
        {
            var taken = Math.Min(BlockTokens, tokens - start);
            Pack(keys + (start * tokenBytes), values + (start * tokenBytes), taken);
            for (var row = Math.Max(0, start - seen + 1); row < count; row += PanelKernels.TileRows)
            {
                var tile = Math.Min(PanelKernels.TileRows, count - row);
                AttendTile(queries + (row * stride), stride, tile, taken, seen + row - start, states + ((long)row * StateStride));
            }
        }
    }

    /// <summary>Ends the softmax of a row.</summary>
    /// <param name="state">The row's state.</param>
    /// <param name="target">[head_dim]: the weighted mean of the values.</param>
    public void End(float* state, float* target) =>
        TensorPrimitives.Divide(new ReadOnlySpan<float>(state + RowKernels.StateSums, _headDim), state[1], new Span<float>(target, _headDim));

    public void Dispose()
    {
        foreach (var memory in _scratch)
        {
            memory.Dispose();
        }

        _noStart.Dispose();
    }

    private void Pack(byte* keys, byte* values, int tokens)
    {
        var scratch = _scratch[KernelTeam.ThreadIndex].Address;
        for (var token = 0; token < tokens; token += _panels.Outputs)
        {
            var run = keys + ((long)token * _headDim * _rows.ElementBytes);
            _panels.PackRows(run, _headDim, Math.Min(_panels.Outputs, tokens - token), _headDim, scratch + ((long)token * _headDim));
        }

        for (var panel = 0; panel < ChannelPanels; panel++)
        {
            var channel = panel * _panels.Outputs;
            var columns = values + ((long)channel * _rows.ElementBytes);
            _panels.PackColumns(columns, _headDim, Math.Min(_panels.Outputs, _headDim - channel), tokens, scratch + ValuesAt + ((long)panel * BlockTokens * _panels.Outputs));
        }
    }

    private void AttendTile(float* queries, nint stride, int rows, int tokens, int seen, float* states)
    {
        var scratch = _scratch[KernelTeam.ThreadIndex].Address;
        var scores = scratch + ScoresAt;
        var most = Math.Min(tokens, seen + rows - 1); // what the tile's last row sees
        for (var token = 0; token < most; token += _panels.Outputs)
        {
            _panels.Multiply(queries, stride, rows, scratch + ((long)token * _headDim), _headDim, _zeros, scores + token, BlockTokens);
        }

        for (var row = 0; row < rows; row++)
        {
            _rows.Weigh(scores + (row * BlockTokens), Math.Clamp(seen + row, 0, tokens), states + ((long)row * StateStride), _headDim);
        }

        var common = Math.Clamp(seen, 0, tokens);
        for (var panel = 0; panel < ChannelPanels; panel++)
        {
            var column = scratch + ValuesAt + ((long)panel * BlockTokens * _panels.Outputs);
            var sums = states + RowKernels.StateSums + (panel * _panels.Outputs);
            _panels.Multiply(scores, BlockTokens, rows, column, common, null, sums, StateStride);
            for (var row = 1; row < rows && common < most; row++)
            {
                // What a row does not see is not even weighed with zero: were it infinite, the row would not stay a number.
                var (own, at) = (Math.Clamp(seen + row, 0, tokens) - common, (long)row * StateStride);
                _panels.Multiply(scores + (row * BlockTokens) + common, BlockTokens, 1, column + ((long)common * _panels.Outputs), own, null, sums + at, StateStride);
            }
        }
    }
}
