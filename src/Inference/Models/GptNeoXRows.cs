using System.Numerics.Tensors;
using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;

namespace Granary.Inference.Models;

/// <summary>GPT-NeoX in our own kernels over the weights that libtorch uses too: few rows of many sequences here, many of one in <see cref="GptNeoXLongStep"/>.</summary>
/// <remarks>
/// The operators of <see cref="GptNeoXModel"/>, with float32 activations whatever the weights are. Linear layers run once over all rows; attention runs for
/// each sequence, and rows over the same pages read each page together. The libtorch path is the oracle in its tests.
/// </remarks>
internal sealed unsafe class GptNeoXRows : IRowModel
{
    private const int MostRowsOfAStep = 32; // longer steps are quicker in panels, by themselves
    private const int ChunksOfAThread = 8;
    private const int ChunkOutputs = 64;    // whole blocks of every element type and instruction set
    private readonly ModelConfig _config;
    private readonly RowKernels _kernels;
    private readonly KernelTeam _team;
    private readonly GptNeoXRowWeights _weights;
    private readonly RowWorkspace _space;
    private readonly GptNeoXLongStep _longStep;
    private readonly Action<int> _normalizeRow;
    private readonly Action<int> _normalizeForFeedForward;
    private readonly Action<int> _projectChunk;
    private readonly Action<int> _packRow;
    private readonly Action<int> _attendTask;
    private readonly Action<int> _joinChunk;
    private readonly Action<int> _upChunk;
    private readonly Action<int> _downChunk;
    private readonly Action<int> _headChunk;
    private readonly RowBatch _batch;
    private GptNeoXRowLayer _layer;
    private int _layerIndex;
    private int _ending; // rows that go to the layer's end: all, of the last layer those whose logits are wanted. They lie in front.
    private int _headRow;
    private int _headRows;

    /// <param name="config">The model's shape.</param>
    /// <param name="kernels">The kernels of the weights' elements.</param>
    /// <param name="team">Shares their work; borrowed.</param>
    /// <param name="weights">The weights' addresses; owned once the object is made.</param>
    public GptNeoXRows(ModelConfig config, KernelSet kernels, KernelTeam team, GptNeoXRowWeights weights)
    {
        (_config, _kernels, _team, _weights) = (config, kernels.Rows, team, weights);
        _space = new RowWorkspace(config, MaxRows, kernels.Rows.Packs);
        try
        {
            _longStep = new GptNeoXLongStep(config, kernels, team, weights);
        }
        catch
        {
            _space.Dispose();
            throw;
        }

        _batch = new RowBatch(MaxRows);
        _layer = weights.Layers[0];
        (_normalizeRow, _projectChunk, _attendTask, _joinChunk) = (NormalizeRow, ProjectChunk, AttendTask, JoinChunk);
        (_packRow, _normalizeForFeedForward) = (PackRow, NormalizeForFeedForward);
        (_upChunk, _downChunk, _headChunk) = (UpChunk, DownChunk, HeadChunk);
    }

    public int MaxRows => 64;

    public long WorkspaceBytes => _space.Bytes + _longStep.Bytes + _weights.Bytes;

    public string InstructionSet => _kernels.InstructionSet;

    private int Hidden => _config.HiddenSize;

    private int Inner => _config.IntermediateSize;

    private bool AllEnd => _ending == _batch.Rows;

    public bool Takes(ModelStep step) => step.LeftPad == 0 && step.Target is not null;

    public bool Shares(ModelStep step) => step.TokenIds.Length <= MostRowsOfAStep && Takes(step);

    public RowLogits Run(IReadOnlyList<ModelStep> steps)
    {
        if (steps.Count == 1 && !Shares(steps[0]))
        {
            return Head(_longStep.Run(steps[0]), _longStep.Stride, _longStep.EndingRows);
        }

        _batch.Fill(steps);
        for (var row = 0; row < _batch.Rows; row++)
        {
            var embedding = _weights.Embedding + ((long)_batch.TokenIds[row] * Hidden * _kernels.ElementBytes);
            _kernels.Widen(embedding, Hidden, _space.Hidden + ((long)row * Hidden));
        }

        for (_layerIndex = 0; _layerIndex < _weights.Layers.Length; _layerIndex++)
        {
            _layer = _weights.Layers[_layerIndex];
            RunLayer();
        }

        return Head(_space.Hidden, Hidden, _ending);
    }

    public void Dispose()
    {
        _longStep.Dispose();
        _space.Dispose();
        _weights.Dispose();
    }

    // Several chunks for each thread, each of whole blocks.
    private int ChunkSize(int outputs) => (Math.Max(1, outputs / (_team.Threads * ChunksOfAThread)) + ChunkOutputs - 1) / ChunkOutputs * ChunkOutputs;

    private int Chunks(int outputs) => (outputs + ChunkSize(outputs) - 1) / ChunkSize(outputs);

    private (int First, int End) Range(int outputs, int chunk) => (chunk * ChunkSize(outputs), Math.Min(outputs, (chunk + 1) * ChunkSize(outputs)));

    // Heads of a sequence lie side by side in memory, which one thread reads better; but all threads need work.
    private int HeadsOfATask => _batch.Groups >= _team.Threads * ChunksOfAThread ? _config.Heads : 1;

    private void RunLayer()
    {
        _ending = _layerIndex == _weights.Layers.Length - 1 ? _batch.LogitRows.Count : _batch.Rows;
        ForRows(_batch.Rows, _normalizeRow);
        if (!AllEnd)
        {
            BringEndingRowsToFront();
        }

        _team.Run(Chunks(3 * Hidden) + (_config.ParallelResidual && _ending > 0 ? Chunks(Inner) : 0), _projectChunk);
        _team.Run(_batch.Groups * _config.Heads / HeadsOfATask, _attendTask);
        if (_ending == 0)
        {
            return;
        }

        if (_kernels.Packs)
        {
            ForRows(_ending, _packRow);
        }

        _team.Run(Chunks(Hidden), _joinChunk);
        if (!_config.ParallelResidual)
        {
            ForRows(_ending, _normalizeForFeedForward);
            _team.Run(Chunks(Inner), _upChunk);
            _team.Run(Chunks(Hidden), _downChunk);
        }
    }

    private void ForRows(int rows, Action<int> work)
    {
        if (rows >= 8)
        {
            _team.Run(rows, work);
            return;
        }

        for (var row = 0; row < rows; row++)
        {
            work(row);
        }
    }

    // What the layer still needs of the others is in the attention's input.
    private void BringEndingRowsToFront()
    {
        for (var index = 0; index < _ending; index++)
        {
            var row = _batch.LogitRows[index]; // ascending
            new ReadOnlySpan<float>(_space.Hidden + ((long)row * Hidden), Hidden).CopyTo(new Span<float>(_space.Hidden + ((long)index * Hidden), Hidden));
            if (_config.ParallelResidual)
            {
                NormalizeForFeedForward(index);
            }
        }
    }

    // Where an ending row lies; negative for another row.
    private int EndingIndex(int row) => AllEnd ? row : _batch.LogitRows.BinarySearch(row);

    private void NormalizeRow(int row)
    {
        NormalizeInto(row, _layer.AttentionNormScale, _layer.AttentionNormBias, _space.AttentionInput);
        if (_config.ParallelResidual && AllEnd)
        {
            NormalizeForFeedForward(row);
        }
    }

    private void NormalizeForFeedForward(int row) => NormalizeInto(row, _layer.FeedForwardNormScale, _layer.FeedForwardNormBias, _space.FeedForwardInput);

    private void NormalizeInto(int row, float* scale, float* bias, float* packed)
    {
        var at = (long)row * Hidden;
        NormalizeInto(_space.Hidden + at, scale, bias, _space.Plain + at, packed + at);
    }

    private void NormalizeInto(float* row, float* scale, float* bias, float* plain, float* packed)
    {
        var target = _kernels.Packs ? plain : packed;
        _kernels.Normalize(row, Hidden, scale, bias, (float)_config.LayerNormEpsilon, target);
        if (_kernels.Packs)
        {
            _kernels.Pack(plain, Hidden, packed);
        }
    }

    private void PackRow(int row) => _kernels.Pack(_space.Attended + ((long)row * Hidden), Hidden, _space.AttendedPacked + ((long)row * Hidden));

    // Queries, keys and values, and with a parallel residual the feed-forward's first half.
    private void ProjectChunk(int chunk)
    {
        var outputs = 3 * Hidden;
        if (chunk >= Chunks(outputs))
        {
            UpChunk(chunk - Chunks(outputs));
            return;
        }

        var (first, end) = Range(outputs, chunk);
        _kernels.Multiply(_layer.QueryKeyValue, _layer.QueryKeyValueBias, _space.AttentionInput, _batch.Rows, Hidden, _space.QueryKeyValue, outputs, first, end);
    }

    private void UpChunk(int chunk)
    {
        var (first, end) = Range(Inner, chunk);
        _kernels.Multiply(_layer.Up, _layer.UpBias, _space.FeedForwardInput, _ending, Hidden, _space.Inner, Inner, first, end);
        for (var row = 0; row < _ending; row++)
        {
            var values = _space.Inner + ((long)row * Inner) + first;
            if (_config.Activation == Activation.Gelu)
            {
                _kernels.Gelu(values, end - first);
            }
            else
            {
                _kernels.GeluTanh(values, end - first);
            }

            if (_kernels.Packs)
            {
                _kernels.Pack(values, end - first, _space.InnerPacked + ((long)row * Inner) + first); // a chunk begins with a block
            }
        }
    }

    private void AttendTask(int task)
    {
        var heads = HeadsOfATask;
        var (group, first) = (task * heads / _config.Heads, task * heads % _config.Heads);
        for (var head = first; head < first + heads; head++)
        {
            AttendHead(group, head, isLast: head == first + heads - 1);
        }
    }

    // One head of one group of rows: rotates, keeps keys and values, attends.
    private void AttendHead(int group, int head, bool isLast)
    {
        var (first, end) = _batch.RowsOf(group);
        Project(first, end, head);
        foreach (var run in _batch.SharedRuns(group))
        {
            var kv = KvAddress.Of(_config, run.Memory, _layerIndex, head, run.Offset, _kernels.ElementBytes);
            for (var place = first; place < end;)
            {
                var rows = EndingRowsAt(place, end);
                if (rows > 0)
                {
                    Attend(place, rows, head, kv, run.Count);
                }

                place += Math.Max(1, rows);
            }
        }

        if (!isLast && _batch.SharedRuns(group) is [var next, ..])
        {
            _kernels.Prefetch(KvAddress.Of(_config, next.Memory, _layerIndex, head + 1, next.Offset, _kernels.ElementBytes).Keys, next.Count, _config.HeadDim);
        }

        for (var place = first; place < end; place++)
        {
            var row = _batch.Order[place];
            var index = EndingIndex(row);
            if (index < 0)
            {
                continue;
            }

            ref readonly var own = ref _batch.Own[row];
            Attend(place, 1, head, KvAddress.Of(_config, own.Memory, _layerIndex, head, own.Offset, _kernels.ElementBytes), own.Count);
            var state = _space.State(head, place);
            var sums = new Span<float>(state + RowKernels.StateSums, _config.HeadDim);
            TensorPrimitives.Divide(sums, state[1], sums);

            _kernels.Unpack(state + RowKernels.StateSums, _config.HeadDim, _space.Attended + ((long)index * Hidden) + (head * _config.HeadDim));
        }
    }

    // How many rows from a place on end, side by side, up to what one call attends.
    private int EndingRowsAt(int place, int end)
    {
        var most = Math.Min(RowKernels.MaxAttendedRows, end - place);
        var rows = 0;
        while (rows < most && EndingIndex(_batch.Order[place + rows]) >= 0)
        {
            rows++;
        }

        return rows;
    }

    // Rotates the rows of some places, keeps their keys and values, and makes their queries ready.
    private void Project(int first, int end, int head)
    {
        for (var place = first; place < end; place++)
        {
            Project(place, head);
        }
    }

    private void Project(int place, int head)
    {
        var row = _batch.Order[place];
        var width = _config.HeadDim;
        var query = _space.QueryKeyValue + ((long)row * 3 * Hidden) + ((long)head * 3 * width);
        float* key = query + width, value = key + width;
        var half = _config.RotaryDimensions / 2;
        float* cos = _weights.Cos + ((long)_batch.Positions[row] * half), sin = _weights.Sin + ((long)_batch.Positions[row] * half);
        Rotary.Turn(query, cos, sin, half);
        Rotary.Turn(key, cos, sin, half);

        ref readonly var own = ref _batch.Own[row];
        var kept = KvAddress.Of(_config, own.Memory, _layerIndex, head, own.Offset + own.Count - 1, _kernels.ElementBytes);
        _kernels.Narrow(key, width, kept.Keys);
        _kernels.Narrow(value, width, kept.Values);

        var channels = new Span<float>(query, width);
        TensorPrimitives.Multiply(channels, 1 / MathF.Sqrt(width), channels);

        _kernels.Pack(query, width, _space.Query(head, place));
        var state = _space.State(head, place);
        new Span<float>(state, _space.StateStride).Clear();
        state[0] = float.NegativeInfinity;
    }

    private void Attend(int place, int rows, int head, KvAddress kv, int tokens) =>
        _kernels.Attend(_space.Query(head, place), rows, kv.Keys, kv.Values, tokens, _config.HeadDim, _space.State(head, place), _space.StateStride);

    private void JoinChunk(int chunk)
    {
        var (first, end) = Range(Hidden, chunk);
        _kernels.Multiply(_layer.AttentionOut, _layer.AttentionOutBias, _space.AttendedPacked, _ending, Hidden, _space.Joined, Hidden, first, end);
        AddTo(_space.Hidden, _space.Joined, first, end);
        if (_config.ParallelResidual)
        {
            DownChunk(chunk);
        }
    }

    private void DownChunk(int chunk)
    {
        var (first, end) = Range(Hidden, chunk);
        _kernels.Multiply(_layer.Down, _layer.DownBias, _space.InnerPacked, _ending, Inner, _space.Joined, Hidden, first, end);
        AddTo(_space.Hidden, _space.Joined, first, end);
    }

    private void AddTo(float* rows, float* added, int first, int end)
    {
        for (var row = 0; row < _ending; row++)
        {
            var at = ((long)row * Hidden) + first;
            var sums = new Span<float>(rows + at, end - first);
            TensorPrimitives.Add(sums, new ReadOnlySpan<float>(added + at, end - first), sums);
        }
    }

    private RowLogits Head(float* hidden, int stride, int rows)
    {
        _space.ReserveLogits(rows);
        for (_headRow = 0; _headRow < rows; _headRow += MaxRows)
        {
            _headRows = Math.Min(MaxRows, rows - _headRow);
            for (var index = 0; index < _headRows; index++)
            {
                var row = hidden + ((long)(_headRow + index) * stride);
                NormalizeInto(row, _weights.FinalNormScale, _weights.FinalNormBias, _space.Plain, _space.AttentionInput + ((long)index * Hidden));
            }

            _team.Run(Chunks(_config.VocabularySize), _headChunk);
        }

        return new RowLogits(_space.Logits, rows, _config.VocabularySize);
    }

    private void HeadChunk(int chunk)
    {
        var (first, end) = Range(_config.VocabularySize, chunk);
        var logits = _space.Logits + ((long)_headRow * _config.VocabularySize);
        _kernels.Multiply(_weights.Head, null, _space.AttentionInput, _headRows, Hidden, logits, _config.VocabularySize, first, end);
    }
}
