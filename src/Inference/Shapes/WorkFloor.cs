using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;

namespace Granary.Inference.Shapes;

/// <summary>What no implementation of a piece of work avoids: operations of a prefill, bytes of a decode step.</summary>
internal static class WorkFloor
{
    /// <summary>Gets the floating-point operations of a prefill that leaves KV and nothing else; a multiplication and an addition are two.</summary>
    /// <remarks>Of the last layer only keys and values are needed, and of the head nothing. Norms, rotary and activations are left out.</remarks>
    public static double PrefillFlops(ModelConfig config, int tokens)
    {
        double hidden = config.HiddenSize;
        double query = config.Heads * config.HeadDim;
        double keysAndValues = 2.0 * config.KvHeads * config.HeadDim;
        var linear = 2 * hidden * (query + keysAndValues + query + (2.0 * config.IntermediateSize));
        var linearLast = 2 * hidden * keysAndValues;
        var seen = tokens * (tokens + 1.0) / 2; // causal: row i sees i + 1 tokens
        var attention = 2 * 2 * query * seen;   // scores, then the mix of values
        return ((config.Layers - 1) * ((linear * tokens) + attention)) + (linearLast * tokens);
    }

    /// <summary>Gets the bytes that one decode step reads: all weights but the input embedding, of which it reads a row, and the KV of the context.</summary>
    public static double DecodeBytes(ModelConfig config, KvLayout layout, long weightBytes, double contextTokens)
    {
        var embedding = config.TiedEmbeddings ? 0 : (long)config.VocabularySize * config.HiddenSize * layout.Dtype.Bytes();
        return weightBytes - embedding + (contextTokens * layout.BytesPerToken);
    }
}
