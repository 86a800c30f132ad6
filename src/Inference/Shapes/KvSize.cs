using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Pages;

namespace Granary.Inference.Shapes;

/// <summary>How many bytes a KV cache has, without computing one.</summary>
public static class KvSize
{
    /// <summary>Gets the KV bytes of one sequence: <c>2 · layers · tokens · kv_heads · head_dim · element</c>.</summary>
    /// <param name="config">The model.</param>
    /// <param name="sequenceLength">Tokens, from 0 to the model's window.</param>
    /// <param name="dtype">What KV is held in.</param>
    /// <returns>Bytes, without headers and page rounding.</returns>
    /// <exception cref="InferenceException"><c>InvalidArgument</c>: the length is negative or over the window.</exception>
    public static long Bytes(ModelConfig config, int sequenceLength, KvDtype dtype)
    {
        ArgumentNullException.ThrowIfNull(config);
        return sequenceLength >= 0 && sequenceLength <= config.Window
            ? KvLayout.Of(config, dtype).BytesOf(sequenceLength)
            : throw new InferenceException(ErrorCode.InvalidArgument, $"The sequence length {sequenceLength} is not within the model's window of {config.Window} tokens.", $"Give 0 to {config.Window} tokens.");
    }
}
