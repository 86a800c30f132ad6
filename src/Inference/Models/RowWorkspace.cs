using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;

namespace Granary.Inference.Models;

/// <summary>The working memory of a step of rows, allocated once.</summary>
/// <remarks>"Packed" buffers are laid out to meet stored weights; where packing changes nothing they are the plain ones.</remarks>
internal sealed unsafe class RowWorkspace : IDisposable
{
    private readonly List<NativeRows> _owned = [];
    private readonly ModelConfig _config;
    private readonly int _rows;
    private readonly float* _queries;
    private readonly float* _states;
    private NativeRows? _logits;
    private int _logitRows;

    public RowWorkspace(ModelConfig config, int rows, bool packs)
    {
        (_config, _rows) = (config, rows);
        try
        {
            Hidden = Allocate(config.HiddenSize);
            Plain = Allocate(config.HiddenSize);
            AttentionInput = Allocate(config.HiddenSize);
            FeedForwardInput = Allocate(config.HiddenSize);
            QueryKeyValue = Allocate(3 * config.HiddenSize);
            Inner = Allocate(config.IntermediateSize);
            InnerPacked = packs ? Allocate(config.IntermediateSize) : Inner;
            Attended = Allocate(config.HiddenSize);
            AttendedPacked = packs ? Allocate(config.HiddenSize) : Attended;
            Joined = Allocate(config.HiddenSize);
            StateStride = (RowKernels.StateSums + config.HeadDim + 15) / 16 * 16;
            _queries = Allocate(config.Heads * config.HeadDim);
            _states = Allocate(config.Heads * StateStride);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Gets [rows, hidden].</summary>
    public float* Hidden { get; }

    /// <summary>Gets [rows, hidden] before packing.</summary>
    public float* Plain { get; }

    /// <summary>Gets [rows, hidden], normalized and packed.</summary>
    public float* AttentionInput { get; }

    /// <summary>Gets [rows, hidden], normalized and packed.</summary>
    public float* FeedForwardInput { get; }

    /// <summary>Gets [rows, heads, q k v, head_dim].</summary>
    public float* QueryKeyValue { get; }

    /// <summary>Gets [rows, intermediate].</summary>
    public float* Inner { get; }

    /// <summary>Gets [rows, intermediate], packed.</summary>
    public float* InnerPacked { get; }

    /// <summary>Gets [rows, heads * head_dim].</summary>
    public float* Attended { get; }

    /// <summary>Gets [rows, heads * head_dim], packed.</summary>
    public float* AttendedPacked { get; }

    /// <summary>Gets [rows, hidden].</summary>
    public float* Joined { get; }

    /// <summary>Gets [logit_rows, vocab].</summary>
    public float* Logits => _logits is null ? null : _logits.Address;

    /// <summary>Gets the floats between two softmax states.</summary>
    public int StateStride { get; }

    /// <summary>Gets the bytes held now.</summary>
    public long Bytes => _owned.Sum(rows => rows.Bytes) + (_logits?.Bytes ?? 0);

    /// <summary>Gets a query, packed.</summary>
    /// <param name="head">The head.</param>
    /// <param name="place">The row's place in its group's order: places of a group lie side by side.</param>
    /// <returns>[head_dim].</returns>
    public float* Query(int head, int place) => _queries + ((((long)head * _rows) + place) * _config.HeadDim);

    /// <summary>Gets a softmax state.</summary>
    public float* State(int head, int place) => _states + ((((long)head * _rows) + place) * StateStride);

    /// <summary>Makes room for logits.</summary>
    public void ReserveLogits(int rows)
    {
        if (rows > _logitRows)
        {
            var logits = new NativeRows((long)rows * _config.VocabularySize); // first: where there is no room, the old is still good
            _logits?.Dispose();
            (_logits, _logitRows) = (logits, rows);
        }
    }

    public void Dispose()
    {
        _logits?.Dispose();
        foreach (var rows in _owned)
        {
            rows.Dispose();
        }
    }

    private float* Allocate(int width)
    {
        var rows = new NativeRows((long)_rows * width);
        _owned.Add(rows);
        return rows.Address;
    }
}
