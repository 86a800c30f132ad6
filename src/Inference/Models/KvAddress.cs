using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;

namespace Granary.Inference.Models;

/// <summary>Where a head's keys and values lie, from some token on: [tokens, head_dim] each.</summary>
internal readonly unsafe struct KvAddress
{
    private KvAddress(byte* keys, byte* values)
    {
        Keys = keys;
        Values = values;
    }

    public byte* Keys { get; }

    public byte* Values { get; }

    /// <summary>Finds a head in memory, by <see cref="KvLayout"/>.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="memory">[layers, 2, kv_heads, capacity, head_dim].</param>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The head.</param>
    /// <param name="token">The first token.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    public static KvAddress Of(ModelConfig config, KvMemory memory, int layer, int head, int token, int elementBytes)
    {
        long channels = config.HeadDim * elementBytes;
        var plane = memory.Capacity * channels;
        var keys = (byte*)memory.Address + ((((long)layer * 2 * config.KvHeads) + head) * plane) + (token * channels);
        return new KvAddress(keys, keys + (config.KvHeads * plane));
    }
}
