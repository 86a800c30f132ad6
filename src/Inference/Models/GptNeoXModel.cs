using Granary.Inference.Attention;
using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Granary.Inference.Models;

/// <summary>GPT-NeoX (Black et al. 2022; Pythia), in the order of operators of Hugging Face's <c>modeling_gpt_neox.py</c>.</summary>
internal sealed class GptNeoXModel : ICausalModel
{
    private readonly Tensor _embedding;
    private readonly Tensor _head;
    private readonly Affine _finalNorm;
    private readonly GptNeoXLayer[] _layers;
    private readonly RotaryTable _rotary;
    private readonly NativeRows? _copies; // of weights that are not used where they are mapped

    public GptNeoXModel(Checkpoint checkpoint, KvDtype dtype, KernelTeam team, Func<int, KernelSet> kernels)
    {
        (Config, Dtype) = (checkpoint.Config, dtype);
        var weights = new WeightLoader(checkpoint, dtype);
        _copies = weights.Copies;
        try
        {
            using var unfinished = NewDisposeScope(); // holds the tensors until the model is whole: one that cannot be made leaves none
            _embedding = weights.Get("gpt_neox.embed_in.weight");
            _layers = [.. Enumerable.Range(0, Config.Layers).Select(layer => new GptNeoXLayer(weights, layer, Config.AttentionBias))];
            _finalNorm = new Affine(weights, "gpt_neox.final_layer_norm");
            _head = Config.TiedEmbeddings ? _embedding.alias() : weights.Get("embed_out.weight");
            _rotary = new RotaryTable(Config.RotaryDimensions, Config.RotaryBase, Config.Window, dtype);
            (WeightBytes, MappedWeightBytes) = (weights.Bytes, weights.MappedBytes);
            if (dtype != KvDtype.Float64)
            {
                var set = kernels(dtype.Bytes());
                Rows = NewRows(new GptNeoXRowWeights(_embedding, _head, _finalNorm, _layers, _rotary), set, team);
            }

            unfinished.Detach(unfinished.DisposablesView.ToArray());
        }
        catch
        {
            _copies?.Dispose();
            throw;
        }
    }

    public ModelConfig Config { get; }

    public KvDtype Dtype { get; }

    public long WeightBytes { get; }

    public long MappedWeightBytes { get; }

    public string RotaryDigest => _rotary.Digest;

    public IRowModel? Rows { get; }

    public Tensor? Run(ModelStep step)
    {
        using var scope = NewDisposeScope();
        var rows = step.TokenIds.Length;
        var past = step.Past.Where(run => run.Count > 0).ToArray();
        var cache = new StepCache(past, step.Target, step.TargetOffset, rows);
        var mask = CausalAttention.Mask(rows, cache.PastTokens + rows, step.LeftPad);                        // [rows, tokens]
        var (cos, sin) = _rotary.At(step.Position, rows);                                                    // [rows, rotary]
        var hidden = _embedding.index_select(0, PaddedIds(step.TokenIds.Span));                              // [padded_rows, hidden]
        for (var layer = 0; layer < _layers.Length; layer++)
        {
            using var layerScope = NewDisposeScope();
            var weights = _layers[layer];
            var (query, keysAndValues) = Project(weights, hidden, rows, cos, sin);
            var all = cache.Append(layer, keysAndValues);                                                    // [2, 1, kv_heads, tokens, head_dim]
            if (step.Logits == LogitRows.None && layer == _layers.Length - 1)
            {
                return null; // nothing reads the last layer's output
            }

            var mixed = CausalAttention.Attend(query, all.select(0, 0), all.select(0, 1), mask);             // [rows, hidden]
            var attended = weights.AttentionOut.Apply(PaddedRows.Pad(mixed));                                // [padded_rows, hidden]
            hidden = Join(weights, hidden, attended).MoveToOuterDisposeScope();
        }

        return Logits(hidden, rows, step.Logits).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        Rows?.Dispose();
        _embedding.Dispose();
        _head.Dispose();
        _finalNorm.Dispose();
        _rotary.Dispose();
        foreach (var layer in _layers)
        {
            layer.Dispose();
        }

        _copies?.Dispose(); // after the tensors over it
    }

    private GptNeoXRows NewRows(GptNeoXRowWeights weights, KernelSet kernels, KernelTeam team)
    {
        try
        {
            return new GptNeoXRows(Config, kernels, team, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static Tensor PaddedIds(ReadOnlySpan<int> tokenIds)
    {
        var ids = new long[PaddedRows.Count(tokenIds.Length)]; // the padding is token 0; its rows are dropped
        for (var row = 0; row < tokenIds.Length; row++)
        {
            ids[row] = tokenIds[row];
        }

        return tensor(ids); // [padded_rows]
    }

    private (Tensor Query, Tensor KeysAndValues) Project(GptNeoXLayer weights, Tensor hidden, int rows, Tensor cos, Tensor sin)
    {
        var fused = weights.QueryKeyValue.Apply(weights.AttentionNorm.Normalize(hidden, Config.LayerNormEpsilon)); // [padded_rows, heads * 3 * head_dim]
        var apart = fused.narrow(0, 0, rows)
            .view(1, rows, Config.Heads, 3, Config.HeadDim)
            .permute(3, 0, 2, 1, 4);                                                                         // [3, 1, heads, rows, head_dim]
        var turned = _rotary.Rotate(apart.narrow(0, 0, 2), cos, sin);                                        // [2, 1, heads, rows, head_dim]
        return (turned.select(0, 0), cat([turned.narrow(0, 1, 1), apart.narrow(0, 2, 1)], 0));               // [1, heads, rows, head_dim], [2, 1, heads, rows, head_dim]
    }

    private Tensor Join(GptNeoXLayer weights, Tensor hidden, Tensor attended)
    {
        if (Config.ParallelResidual)
        {
            return FeedForward(weights, hidden).add_(attended).add_(hidden);                                 // [padded_rows, hidden]
        }

        var residual = attended.add_(hidden);                                                                // [padded_rows, hidden]
        return FeedForward(weights, residual).add_(residual);                                                // [padded_rows, hidden]
    }

    private Tensor FeedForward(GptNeoXLayer weights, Tensor hidden)
    {
        var up = weights.Up.Apply(weights.FeedForwardNorm.Normalize(hidden, Config.LayerNormEpsilon));       // [padded_rows, intermediate]
        return weights.Down.Apply(Config.Activation == Activation.Gelu ? gelu(up) : GeluTanh(up));           // [padded_rows, hidden]
    }

    // Hugging Face's NewGELUActivation, operator by operator.
    private static Tensor GeluTanh(Tensor up) =>
        up * 0.5 * ((up + (up.pow(3.0) * 0.044715)).mul_(Math.Sqrt(2 / Math.PI)).tanh_() + 1.0);             // [padded_rows, intermediate]

    private Tensor Logits(Tensor hidden, int rows, LogitRows wanted)
    {
        // The last row is computed alone, in its own tile, so a prompt's length does not choose the head's kernel.
        var selected = wanted == LogitRows.Last ? PaddedRows.Pad(hidden.narrow(0, rows - 1, 1)) : hidden;    // [padded_rows, hidden]
        var logits = linear(_finalNorm.Normalize(selected, Config.LayerNormEpsilon), _head);                 // [padded_rows, vocab]
        return logits.narrow(0, 0, wanted == LogitRows.Last ? 1 : rows);                                     // [logit_rows, vocab]
    }
}
