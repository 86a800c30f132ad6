using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Shapes;

/// <summary>Makes checkpoints of random weights, for benchmarks and tests of a shape whose real weights are not at hand.</summary>
public static class RandomCheckpoint
{
    private const int SliceElements = 1 << 20;

    /// <summary>Writes a Hugging Face folder: config.json as EleutherAI writes it, model.safetensors, and a tokenizer where one is given.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The weights' seed: the same shape, seed and dtype give the same bytes on every machine.</param>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <param name="tokenizerFile">A <c>tokenizer.json</c> to copy; <see langword="null"/> for a model that works with token ids only.</param>
    /// <param name="dtype">F32 by default: what Granary computes in, so that loading converts nothing. F16 halves the file, and is what Pythia ships.</param>
    /// <param name="cancellationToken">Stops it; no file is left.</param>
    /// <exception cref="InferenceException"><c>InvalidArgument</c>: the folder has files in it, the dtype is neither F32 nor F16, or the model type is not gpt_neox. <c>FileNotFound</c>: there is no such tokenizer file.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static void Create(ModelConfig config, int seed, string folder, string? tokenizerFile = null, SafetensorsDtype dtype = SafetensorsDtype.F32, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        CheckArguments(config, folder, tokenizerFile, dtype);
        var entries = GptNeoXTensors.Shapes(config)
            .Select(tensor => new SafetensorsEntry(tensor.Name, dtype, tensor.Shape, stream => WriteWeights(stream, tensor.Name, tensor.Shape, seed, config.TiedEmbeddings, dtype, cancellationToken)))
            .ToList();

        var weights = Path.Combine(folder, CheckpointFiles.SingleFile);
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(weights, entries, new Dictionary<string, string> { ["format"] = "pt" });
        if (tokenizerFile is not null)
        {
            File.Copy(tokenizerFile, Path.Combine(folder, "tokenizer.json"));
        }

        // Last: a folder with a config.json is complete.
        File.WriteAllText(Path.Combine(folder, ConfigFile.Name), ConfigJson(config, dtype));
    }

    private static void CheckArguments(ModelConfig config, string folder, string? tokenizerFile, SafetensorsDtype dtype)
    {
        if (config.ModelType != "gpt_neox" || dtype is not (SafetensorsDtype.F32 or SafetensorsDtype.F16))
        {
            throw new InferenceException(ErrorCode.InvalidArgument, $"Random weights of the model type '{config.ModelType}' in {dtype.Name()} are not supported.", "Supported are gpt_neox, and F32 or F16.");
        }

        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new InferenceException(ErrorCode.InvalidArgument, $"'{folder}' exists and is not an empty folder.", "Give a new folder; nothing is overwritten.");
        }

        if (tokenizerFile is not null && !File.Exists(tokenizerFile))
        {
            throw new InferenceException(ErrorCode.FileNotFound, $"There is no tokenizer file '{tokenizerFile}'.", "Give the path of a tokenizer.json, or none.");
        }
    }

    private static void WriteWeights(Stream stream, string name, long[] shape, int seed, bool tied, SafetensorsDtype dtype, CancellationToken cancellationToken)
    {
        var random = new RandomNormal(seed, name);
        var (scale, offset) = Scale(name, shape, tied);
        var elements = shape.Aggregate(1L, (product, dimension) => product * dimension);
        var slices = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new byte[Math.Min(SliceElements, elements) * dtype.Bytes()]).ToArray();
        for (var start = 0L; start < elements; start += (long)SliceElements * slices.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var first = start;
            Parallel.For(0, slices.Length, slice => Fill(slices[slice], dtype, random, first + ((long)slice * SliceElements), elements, scale, offset));
            for (var slice = 0; slice < slices.Length; slice++)
            {
                var count = Math.Clamp(elements - first - ((long)slice * SliceElements), 0, SliceElements);
                stream.Write(slices[slice], 0, (int)count * dtype.Bytes());
            }
        }
    }

    private static void Fill(byte[] slice, SafetensorsDtype dtype, RandomNormal random, long first, long elements, float scale, float offset)
    {
        var count = (int)Math.Clamp(elements - first, 0, SliceElements);
        var singles = MemoryMarshal.Cast<byte, float>(slice.AsSpan());
        var halves = MemoryMarshal.Cast<byte, Half>(slice.AsSpan());
        for (var index = 0; index < count; index++)
        {
            var weight = (random.At(first + index) * scale) + offset;
            if (dtype == SafetensorsDtype.F32)
            {
                singles[index] = weight;
            }
            else
            {
                halves[index] = (Half)weight;
            }
        }
    }

    // As golden/make_goldens.py: norms around 1, and matrices wide enough that logits differ by some units, so that greedy answers vary.
    private static (float Scale, float Offset) Scale(string name, long[] shape, bool tied)
    {
        if (name.Contains("norm", StringComparison.Ordinal))
        {
            return (0.2f, name.EndsWith("weight", StringComparison.Ordinal) ? 1 : 0);
        }

        if (name.EndsWith("bias", StringComparison.Ordinal))
        {
            return (0.2f, 0);
        }

        var byWidth = 1 / MathF.Sqrt(shape[^1]);
        return name switch
        {
            "embed_out.weight" => (4 * byWidth, 0),
            "gpt_neox.embed_in.weight" => (tied ? 4 * byWidth : 1, 0),
            _ => (1.5f * byWidth, 0),
        };
    }

    private static string ConfigJson(ModelConfig config, SafetensorsDtype dtype)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue("GPTNeoXForCausalLM");
            json.WriteEndArray();
            json.WriteBoolean("attention_bias", config.AttentionBias);
            WriteEos(json, config.EosTokenId);
            json.WriteString("hidden_act", config.Activation == Activation.Gelu ? "gelu" : "gelu_new");
            json.WriteNumber("hidden_size", config.HiddenSize);
            json.WriteNumber("intermediate_size", config.IntermediateSize);
            json.WriteNumber("layer_norm_eps", config.LayerNormEpsilon);
            json.WriteNumber("max_position_embeddings", config.Window);
            json.WriteString("model_type", config.ModelType);
            json.WriteNumber("num_attention_heads", config.Heads);
            json.WriteNumber("num_hidden_layers", config.Layers);
            json.WriteNumber("rotary_emb_base", config.RotaryBase);
            json.WriteNumber("rotary_pct", RotaryFields.FractionOf(config));
            json.WriteBoolean("tie_word_embeddings", config.TiedEmbeddings);
            json.WriteString("torch_dtype", dtype == SafetensorsDtype.F32 ? "float32" : "float16");
            json.WriteBoolean("use_parallel_residual", config.ParallelResidual);
            json.WriteNumber("vocab_size", config.VocabularySize);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteEos(Utf8JsonWriter json, int? eos)
    {
        if (eos is { } id)
        {
            json.WriteNumber("bos_token_id", id);
            json.WriteNumber("eos_token_id", id);
        }
        else
        {
            json.WriteNull("eos_token_id");
        }
    }
}
