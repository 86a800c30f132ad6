using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Models;

/// <summary>The KV cache as one step sees it: pages and tail before, the new rows behind.</summary>
/// <remarks>Made inside the step's dispose scope, whose it is. Gathering always copies, so a step's operands lie alike however the past is cut.</remarks>
internal sealed class StepCache
{
    private readonly (Tensor View, KvRun Run)[] _past;
    private readonly Tensor? _target;

    public StepCache(KvRun[] past, KvMemory? target, int targetOffset, int rows)
    {
        _past = [.. past.Select(run => (NativeTensor.Wrap(run.Memory), run))]; // [layers, 2, 1, kv_heads, capacity, head_dim]
        PastTokens = past.Sum(run => (long)run.Count);
        if (target is not null)
        {
            _target = NativeTensor.Wrap(target).narrow(4, targetOffset, rows);       // [layers, 2, 1, kv_heads, rows, head_dim]
        }
    }

    public long PastTokens { get; }

    /// <summary>Keeps a layer's new rows and gathers all.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="fresh">[2, 1, kv_heads, rows, head_dim], contiguous.</param>
    /// <returns>[2, 1, kv_heads, tokens, head_dim], contiguous, in the caller's scope.</returns>
    public Tensor Append(int layer, Tensor fresh)
    {
        _target?.select(0, layer).copy_(fresh);
        if (_past.Length == 0)
        {
            return fresh;
        }

        var parts = new Tensor[_past.Length + 1];
        for (var part = 0; part < _past.Length; part++)
        {
            parts[part] = _past[part].View.select(0, layer).narrow(3, _past[part].Run.Offset, _past[part].Run.Count); // [2, 1, kv_heads, count, head_dim]
        }

        parts[^1] = fresh;
        return cat(parts, 3);
    }
}
