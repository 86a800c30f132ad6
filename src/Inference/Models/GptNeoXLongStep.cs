using System.Numerics.Tensors;
using Granary.Inference.Attention;
using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;

namespace Granary.Inference.Models;

/// <summary>GPT-NeoX for one step of many rows, a page or a long prompt, in our own kernels over the weights that libtorch uses too.</summary>
/// <remarks>
/// The operators of <see cref="GptNeoXModel"/>, with float32 activations whatever the weights are. Each linear layer packs its weight panel by panel; each panel meets
/// all rows while it is in the cache. The libtorch path is the oracle in its tests.
/// </remarks>
internal sealed unsafe class GptNeoXLongStep : IDisposable
{
    private const int RowsOfAChunk = 16;
    private readonly ModelConfig _config;
    private readonly RowKernels _rowKernels;
    private readonly PanelKernels _panels;
    private readonly KernelTeam _team;
    private readonly GptNeoXRowWeights _weights;
    private readonly BlockAttention _attention;
    private readonly LongStepWorkspace _space;
    private readonly Action<int> _normalizeChunk;
    private readonly Action<int> _projectPanel;
    private readonly Action<int> _keepChunk;
    private readonly Action<int> _attendTask;
    private readonly Action<int> _joinPanel;
    private readonly Action<int> _upPanel;
    private readonly Action<int> _downPanel;
    private ModelStep _step;
    private GptNeoXRowLayer _layer;
    private int _layerIndex;
    private int _firstEnding; // rows from here on go to the layer's end: all, of the last layer those whose logits are wanted

    public GptNeoXLongStep(ModelConfig config, KernelSet kernels, KernelTeam team, GptNeoXRowWeights weights)
    {
        (_config, _rowKernels, _panels, _team, _weights) = (config, kernels.Rows, kernels.Panels, team, weights);
        _attention = new BlockAttention(kernels.Rows, kernels.Panels, config.HeadDim, team.Threads);
        try
        {
            _space = new LongStepWorkspace(config, kernels.Panels.Outputs, _attention.StateStride, team.Threads);
        }
        catch
        {
            _attention.Dispose();
            throw;
        }

        _layer = weights.Layers[0];
        _step = new ModelStep { TokenIds = default, Position = 0, Past = [] };
        (_normalizeChunk, _projectPanel, _keepChunk, _attendTask) = (NormalizeChunk, ProjectPanel, KeepChunk, AttendTask);
        (_joinPanel, _upPanel, _downPanel) = (JoinPanel, UpPanel, DownPanel);
    }

    /// <summary>Gets the bytes of working memory; it grows to the longest step seen.</summary>
    public long Bytes => _space.Bytes + _attention.Bytes;

    /// <summary>Gets the floats between two rows of what <see cref="Run"/> gives.</summary>
    public int Stride => _space.HiddenStride;

    private int Hidden => _config.HiddenSize;

    private int Rows => _step.TokenIds.Length;

    /// <summary>Gets the rows of the step whose logits are wanted: its last ones.</summary>
    public int EndingRows => Rows - _firstEnding;

    // Enough for every thread where heads are few.
    private int RowBlocks => Math.Clamp((2 * _team.Threads + _config.Heads - 1) / _config.Heads, 1, (EndingRows + RowsOfAChunk - 1) / RowsOfAChunk);

    /// <summary>Computes a step.</summary>
    /// <param name="step">Its target is set and it has no padding.</param>
    /// <returns>[<see cref="EndingRows"/>, <see cref="Stride"/>]: the last layer's output, valid until the next step.</returns>
    public float* Run(ModelStep step)
    {
        _step = step;
        _space.Reserve(Rows);
        for (var row = 0; row < Rows; row++)
        {
            var embedding = _weights.Embedding + ((long)step.TokenIds.Span[row] * Hidden * _rowKernels.ElementBytes);
            _rowKernels.Widen(embedding, Hidden, _space.Hidden + ((long)row * Stride));
        }

        for (_layerIndex = 0; _layerIndex < _weights.Layers.Length; _layerIndex++)
        {
            _layer = _weights.Layers[_layerIndex];
            _firstEnding = _layerIndex < _weights.Layers.Length - 1 ? 0 : step.Logits switch
            {
                LogitRows.None => Rows,
                LogitRows.Last => Rows - 1,
                _ => 0,
            };
            RunLayer();
        }

        return _space.Hidden + ((long)_firstEnding * Stride);
    }

    public void Dispose()
    {
        _space.Dispose();
        _attention.Dispose();
    }

    private int Panels(int outputs) => (outputs + _panels.Outputs - 1) / _panels.Outputs;

    private void RunLayer()
    {
        var chunks = (Rows + RowsOfAChunk - 1) / RowsOfAChunk;
        var projections = Panels(3 * Hidden);
        _team.Run(chunks, _normalizeChunk);
        _team.Run(projections + (_config.ParallelResidual && EndingRows > 0 ? Panels(_config.IntermediateSize) : 0), _projectPanel);
        _team.Run(chunks, _keepChunk);
        if (EndingRows == 0)
        {
            return;
        }

        _team.Run(_config.Heads * RowBlocks, _attendTask);
        _team.Run(Panels(Hidden), _joinPanel);
        if (!_config.ParallelResidual)
        {
            _team.Run(chunks, _normalizeChunk);
            _team.Run(Panels(_config.IntermediateSize), _upPanel);
            _team.Run(Panels(Hidden), _downPanel);
        }
    }

    private void NormalizeChunk(int chunk)
    {
        for (var row = chunk * RowsOfAChunk; row < Math.Min(Rows, (chunk + 1) * RowsOfAChunk); row++)
        {
            var at = (long)row * Stride;
            _rowKernels.Normalize(
                _space.Hidden + at, Hidden, _layer.AttentionNormScale, _layer.AttentionNormBias, (float)_config.LayerNormEpsilon, _space.AttentionInput + at);
            if (row >= _firstEnding)
            {
                _rowKernels.Normalize(
                    _space.Hidden + at, Hidden, _layer.FeedForwardNormScale, _layer.FeedForwardNormBias, (float)_config.LayerNormEpsilon, _space.FeedForwardInput + at);
            }
        }
    }

    // Queries, keys and values, and with a parallel residual the feed-forward's first half.
    private void ProjectPanel(int panel)
    {
        var outputs = 3 * Hidden;
        if (panel >= Panels(outputs))
        {
            UpPanel(panel - Panels(outputs));
            return;
        }

        var firstRow = IsOfQueries(panel * _panels.Outputs) ? _firstEnding : 0;
        Product(firstRow, _layer.QueryKeyValue, _layer.QueryKeyValueBias, _space.AttentionInput, Stride, Hidden, outputs, panel, _space.QueryKeyValue, _space.QueryKeyValueStride);
    }

    // The fused projection's rows are interleaved [heads][q, k, v][head_dim].
    private bool IsOfQueries(int output) =>
        output % (3 * _config.HeadDim) + _panels.Outputs <= _config.HeadDim;

    private void UpPanel(int panel)
    {
        var stride = _space.InnerStride;
        Product(_firstEnding, _layer.Up, _layer.UpBias, _space.FeedForwardInput, Stride, Hidden, _config.IntermediateSize, panel, _space.Inner, stride);
        for (var row = _firstEnding; row < Rows; row++)
        {
            var values = _space.Inner + ((long)row * stride) + (panel * _panels.Outputs);
            if (_config.Activation == Activation.Gelu)
            {
                _rowKernels.Gelu(values, _panels.Outputs);
            }
            else
            {
                _rowKernels.GeluTanh(values, _panels.Outputs);
            }
        }
    }

    // Rotates some rows' queries and keys, and stores keys and values.
    private void KeepChunk(int chunk)
    {
        var half = _config.RotaryDimensions / 2;
        var width = _config.HeadDim;
        var target = _step.Target!;
        var scale = 1 / MathF.Sqrt(width);
        for (var row = chunk * RowsOfAChunk; row < Math.Min(Rows, (chunk + 1) * RowsOfAChunk); row++)
        {
            long position = _step.Position + row;
            float* cos = _weights.Cos + (position * half), sin = _weights.Sin + (position * half);
            for (var head = 0; head < _config.Heads; head++)
            {
                var query = _space.QueryKeyValue + ((long)row * _space.QueryKeyValueStride) + ((long)head * 3 * width);
                var kept = KvAddress.Of(_config, target, _layerIndex, head, _step.TargetOffset + row, _rowKernels.ElementBytes);
                Rotary.Turn(query + width, cos, sin, half);
                _rowKernels.Narrow(query + width, width, kept.Keys);
                _rowKernels.Narrow(query + (2 * width), width, kept.Values);
                if (row < _firstEnding)
                {
                    continue;
                }

                Rotary.Turn(query, cos, sin, half);
                var channels = new Span<float>(query, width);
                TensorPrimitives.Multiply(channels, scale, channels);
            }
        }
    }

    // One head of some rows.
    private void AttendTask(int task)
    {
        var (head, block) = (task / RowBlocks, task % RowBlocks);
        var size = ((EndingRows + RowBlocks - 1) / RowBlocks + PanelKernels.TileRows - 1) / PanelKernels.TileRows * PanelKernels.TileRows;
        var (first, end) = (_firstEnding + (block * size), Math.Min(Rows, _firstEnding + ((block + 1) * size)));
        if (first >= end)
        {
            return;
        }

        var states = _space.States(KernelTeam.ThreadIndex);
        var stride = _space.QueryKeyValueStride;
        var queries = _space.QueryKeyValue + ((long)first * stride) + ((long)head * 3 * _config.HeadDim);
        _attention.Begin(states, end - first);
        foreach (var run in _step.Past)
        {
            if (run.Count > 0)
            {
                var past = KvAddress.Of(_config, run.Memory, _layerIndex, head, run.Offset, _rowKernels.ElementBytes);
                _attention.Attend(queries, stride, end - first, past.Keys, past.Values, run.Count, run.Count, states);
            }
        }

        var own = KvAddress.Of(_config, _step.Target!, _layerIndex, head, _step.TargetOffset, _rowKernels.ElementBytes);
        _attention.Attend(queries, stride, end - first, own.Keys, own.Values, end, first + 1, states);
        for (var row = first; row < end; row++)
        {
            _attention.End(states + ((long)(row - first) * _attention.StateStride), _space.Attended + ((long)row * Stride) + (head * _config.HeadDim));
        }
    }

    private void JoinPanel(int panel)
    {
        Product(_firstEnding, _layer.AttentionOut, _layer.AttentionOutBias, _space.Attended, Stride, Hidden, Hidden, panel, _space.Joined, Stride);
        AddJoined(panel);
        if (_config.ParallelResidual)
        {
            DownPanel(panel);
        }
    }

    private void DownPanel(int panel)
    {
        Product(_firstEnding, _layer.Down, _layer.DownBias, _space.Inner, _space.InnerStride, _config.IntermediateSize, Hidden, panel, _space.Joined, Stride);
        AddJoined(panel);
    }

    private void AddJoined(int panel) =>
        _panels.Add(_space.Joined + FromEnding(panel), Stride, EndingRows, _space.Hidden + FromEnding(panel));

    private long FromEnding(int panel) => ((long)_firstEnding * Stride) + (panel * _panels.Outputs);

    // One panel of a linear layer over the rows from one on, a stretch of its width at a time: a panel must stay in a core's cache.
    private void Product(int firstRow, byte* weight, float* bias, float* rows, int stride, int width, int outputs, int panel, float* target, int targetStride)
    {
        if (firstRow == Rows)
        {
            return;
        }

        rows += (long)firstRow * stride;
        target += (long)firstRow * targetStride;
        var first = panel * _panels.Outputs;
        var taken = Math.Min(_panels.Outputs, outputs - first);
        var start = stackalloc float[_panels.Outputs];
        new Span<float>(start, _panels.Outputs).Clear();
        if (bias is not null)
        {
            new ReadOnlySpan<float>(bias + first, taken).CopyTo(new Span<float>(start, taken));
        }

        var memory = _space.Panel(KernelTeam.ThreadIndex);
        for (var index = 0; index < width; index += LongStepWorkspace.PanelWidth)
        {
            var length = Math.Min(LongStepWorkspace.PanelWidth, width - index);
            _panels.PackRows(weight + ((((long)first * width) + index) * _rowKernels.ElementBytes), width, taken, length, memory);
            _panels.Multiply(rows + index, stride, Rows - firstRow, memory, length, index == 0 ? start : null, target + first, targetStride);
        }
    }
}
