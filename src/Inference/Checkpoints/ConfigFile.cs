using System.Text.Json;
using Granary.Inference.Errors;

namespace Granary.Inference.Checkpoints;

/// <summary>Reads <c>config.json</c> as EleutherAI writes it and as transformers 5 does.</summary>
/// <remarks>Names and defaults: Hugging Face, <c>configuration_gpt_neox.py</c>. All faults are reported at once.</remarks>
internal static class ConfigFile
{
    public const string Name = "config.json";

    public static (ModelConfig Config, FileIdentity Identity) Read(string folder)
    {
        var path = Path.Combine(folder, Name);
        if (!File.Exists(path))
        {
            throw new InferenceException(ErrorCode.CheckpointInvalid, $"'{folder}' has no {Name}.", "Give a Hugging Face checkpoint folder, with config.json and model.safetensors.");
        }

        try
        {
            using var file = File.OpenHandle(path);
            var identity = FileIdentity.Of(path, file);
            var json = new byte[RandomAccess.GetLength(file)];
            var read = RandomAccess.Read(file, json, 0);
            using var document = JsonDocument.Parse(json.AsMemory(0, read));
            return (Parse(path, document.RootElement), identity);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException) // InvalidOperation: strings that are not Unicode
        {
            throw new InferenceException(ErrorCode.CheckpointInvalid, $"'{path}' cannot be read: {e.Message}", "Download config.json again.", e);
        }
    }

    private static ModelConfig Parse(string path, JsonElement root)
    {
        var fields = new ConfigFields(root);
        RefuseOtherArchitectures(path, fields);

        var hidden = fields.Positive("hidden_size", 6144);
        var heads = fields.Positive("num_attention_heads", 64);
        if (hidden % heads != 0)
        {
            fields.Fault($"hidden_size {hidden} is not a multiple of num_attention_heads {heads}");
        }

        var headDim = hidden / heads;
        var rotary = RotaryFields.Read(fields, headDim);
        var vocabulary = fields.Positive("vocab_size", 50432);
        var config = new ModelConfig
        {
            ModelType = GptNeoX,
            Layers = fields.Positive("num_hidden_layers", 44),
            HiddenSize = hidden,
            Heads = heads,
            KvHeads = heads,
            HeadDim = headDim,
            IntermediateSize = fields.Positive("intermediate_size", 24576),
            VocabularySize = vocabulary,
            Window = fields.Positive("max_position_embeddings", 2048),
            RotaryDimensions = rotary.Dimensions,
            RotaryBase = rotary.Base,
            LayerNormEpsilon = fields.Number("layer_norm_eps", 1e-5, above: 0),
            Activation = ReadActivation(fields),
            ParallelResidual = fields.Flag("use_parallel_residual", true),
            TiedEmbeddings = fields.Flag("tie_word_embeddings", false),
            AttentionBias = fields.Flag("attention_bias", true),
            EosTokenId = ReadEos(fields, vocabulary),
        };
        return fields.Faults.Count == 0 ? config : throw Invalid(path, string.Join("; ", fields.Faults));
    }

    private const string GptNeoX = "gpt_neox";

    private static void RefuseOtherArchitectures(string path, ConfigFields fields)
    {
        if (!fields.IsObject)
        {
            throw Invalid(path, "it is not a JSON object");
        }

        // Another architecture's other fields mean other things, so nothing else is worth reporting.
        var type = fields.Text("model_type");
        var architectures = fields.Texts("architectures");
        if (type != GptNeoX || (architectures.Count > 0 && !architectures.Any(name => name.StartsWith("GPTNeoX", StringComparison.Ordinal) && !name.StartsWith("GPTNeoXJapanese", StringComparison.Ordinal))))
        {
            throw new InferenceException(
                ErrorCode.CheckpointInvalid,
                $"'{path}' describes the architecture '{type ?? "(no model_type)"}'{(architectures.Count > 0 ? $" ({string.Join(", ", architectures)})" : "")}, which is not supported.",
                "Supported is 'gpt_neox' (GPTNeoXForCausalLM): Pythia, GPT-NeoX-20B and models of that kind.");
        }
    }

    private static Activation ReadActivation(ConfigFields fields)
    {
        var name = fields.Text("hidden_act") ?? "gelu";
        switch (name)
        {
            case "gelu":
                return Activation.Gelu;
            case "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast": // three spellings of one formula
                return Activation.GeluTanh;
            default:
                fields.Fault($"hidden_act '{name}' is not supported; supported are gelu, gelu_new, gelu_pytorch_tanh and gelu_fast");
                return Activation.Gelu;
        }
    }

    private static int? ReadEos(ConfigFields fields, int vocabulary)
    {
        if (fields.TokenId("eos_token_id", 2) is not { } id)
        {
            return null;
        }

        if (id < 0 || id >= vocabulary)
        {
            fields.Fault($"eos_token_id {id} lies outside of the vocabulary of {vocabulary} ids");
        }

        return id;
    }

    private static InferenceException Invalid(string path, string faults) =>
        new(ErrorCode.CheckpointInvalid, $"'{path}' cannot be used: {faults}.", "Correct config.json, or download it again.");
}
