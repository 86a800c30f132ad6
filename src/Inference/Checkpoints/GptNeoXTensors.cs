using Granary.Inference.Errors;

namespace Granary.Inference.Checkpoints;

/// <summary>The tensors that a GPT-NeoX model needs, by their names in Hugging Face checkpoints.</summary>
/// <remarks>Hugging Face, <c>modeling_gpt_neox.py</c>. Buffers of old checkpoints (<c>attention.bias</c>, <c>attention.masked_bias</c>, <c>attention.rotary_emb.inv_freq</c>) are not needed, so they are not here.</remarks>
internal static class GptNeoXTensors
{
    /// <summary>Lists names and shapes, in the order of a forward pass.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Shapes(ModelConfig config)
    {
        long hidden = config.HiddenSize, intermediate = config.IntermediateSize, vocab = config.VocabularySize;
        yield return ("gpt_neox.embed_in.weight", [vocab, hidden]);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var prefix = $"gpt_neox.layers.{layer}.";
            foreach (var norm in (string[])["input_layernorm", "post_attention_layernorm"])
            {
                yield return ($"{prefix}{norm}.weight", [hidden]);
                yield return ($"{prefix}{norm}.bias", [hidden]);
            }

            yield return (prefix + "attention.query_key_value.weight", [3 * hidden, hidden]);
            yield return (prefix + "attention.dense.weight", [hidden, hidden]);
            if (config.AttentionBias)
            {
                yield return (prefix + "attention.query_key_value.bias", [3 * hidden]);
                yield return (prefix + "attention.dense.bias", [hidden]);
            }

            yield return (prefix + "mlp.dense_h_to_4h.weight", [intermediate, hidden]);
            yield return (prefix + "mlp.dense_h_to_4h.bias", [intermediate]);
            yield return (prefix + "mlp.dense_4h_to_h.weight", [hidden, intermediate]);
            yield return (prefix + "mlp.dense_4h_to_h.bias", [hidden]);
        }

        yield return ("gpt_neox.final_layer_norm.weight", [hidden]);
        yield return ("gpt_neox.final_layer_norm.bias", [hidden]);
        if (!config.TiedEmbeddings)
        {
            yield return ("embed_out.weight", [vocab, hidden]);
        }
    }

    /// <summary>Compares files with what the model needs, and reports every fault at once.</summary>
    public static void Check(string folder, ModelConfig config, CheckpointFiles files)
    {
        var faults = new List<string>();
        foreach (var (name, shape) in Shapes(config))
        {
            if (!files.TryGet(name, out var tensor))
            {
                faults.Add($"'{name}' {Text(shape)} is missing");
                continue;
            }

            if (!tensor.Shape.AsSpan().SequenceEqual(shape))
            {
                faults.Add($"'{name}' should have the shape {Text(shape)}, and has {Text(tensor.Shape)}");
            }

            if (!Safetensors.SafetensorsDtypes.IsWeight(tensor.Dtype))
            {
                faults.Add($"'{name}' is {tensor.Dtype}, weights are F64, F32, F16 or BF16");
            }
        }

        if (faults.Count > 0)
        {
            throw new InferenceException(
                ErrorCode.CheckpointInvalid,
                $"The weights in '{folder}' do not fit its config.json ({faults.Count} faults): {string.Join("; ", faults)}.",
                "Download config.json and weights of the same model again.");
        }
    }

    private static string Text(long[] shape) => $"[{string.Join(", ", shape)}]";
}
