using System.Text.Json.Nodes;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Tests.Checkpoints;

public sealed class BadCheckpointTests : IDisposable
{
    private readonly ScratchFolder _scratch = ScratchFolder.CopyOf(Golden.Model("quarter-rotary"));

    [Fact]
    public void Open_MissingFolder_IsNotFound()
    {
        var error = AssertFails("ModelNotFound", _scratch.File("nowhere"));
        Assert.Contains("nowhere", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NoConfiguration_SaysSo()
    {
        File.Delete(_scratch.File("config.json"));
        Assert.Contains("no config.json", AssertFails().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NoWeights_SaysSo()
    {
        File.Delete(_scratch.File("model.safetensors"));
        Assert.Contains("neither model.safetensors nor", AssertFails().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PickledWeightsOnly_SaysHowToConvert()
    {
        File.Move(_scratch.File("model.safetensors"), _scratch.File("pytorch_model.bin"));
        var error = AssertFails();
        Assert.Contains("pytorch_model.bin", error.Message, StringComparison.Ordinal);
        Assert.Contains("safe_serialization=True", error.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model_type":"llama","architectures":["LlamaForCausalLM"]}""", "llama")]
    [InlineData("""{"model_type":"gpt_neox","architectures":["GPTNeoXJapaneseForCausalLM"]}""", "GPTNeoXJapanese")]
    [InlineData("""{"hidden_size":64}""", "no model_type")]
    [InlineData("""{"model_type":3}""", "no model_type")]
    public void Open_OtherArchitecture_SaysWhatIsSupported(string json, string named)
    {
        File.WriteAllText(_scratch.File("config.json"), json);
        var error = AssertFails();
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("gpt_neox", error.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1]")]
    [InlineData("null")]
    [InlineData("""{"model_type":"\ud800"}""")]
    public void Open_ConfigurationThatIsNoObject_IsInvalid(string json)
    {
        File.WriteAllText(_scratch.File("config.json"), json);
        Assert.Contains("config.json", AssertFails().Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hidden_act", "\"relu\"", "hidden_act 'relu' is not supported; supported are gelu, gelu_new")]
    [InlineData("hidden_size", "66", "hidden_size 66 is not a multiple of num_attention_heads 4")]
    [InlineData("hidden_size", "0", "hidden_size is 0")]
    [InlineData("hidden_size", "\"64\"", "hidden_size is \"64\"")]
    [InlineData("num_hidden_layers", "-1", "num_hidden_layers is -1")]
    [InlineData("vocab_size", "1e20", "vocab_size is 1e20")]
    [InlineData("layer_norm_eps", "0", "layer_norm_eps is 0")]
    [InlineData("rotary_pct", "0.2", "3 of a head's 16 channels")]
    [InlineData("rotary_pct", "0.01", "0 of a head's 16 channels")]
    [InlineData("rotary_pct", "1.5", "fraction 1.5 is above 1")]
    [InlineData("rotary_emb_base", "-2", "rotary_emb_base is -2")]
    [InlineData("use_parallel_residual", "1", "use_parallel_residual is 1")]
    [InlineData("eos_token_id", "128", "eos_token_id 128 lies outside")]
    [InlineData("eos_token_id", "[1,2]", "eos_token_id is [1,2]")]
    [InlineData("rope_scaling", """{"type":"linear","factor":2.0}""", "rope_scaling of type 'linear'")]
    [InlineData("rope_parameters", """{"rope_type":"yarn"}""", "rope_parameters of type 'yarn'")]
    [InlineData("rope_parameters", """{"rope_theta":500}""", "rotary_emb_base 10000 contradicts rope_parameters.rope_theta 500")]
    [InlineData("rope_parameters", "7", "rope_parameters is 7")]
    public void Open_UnusableField_NamesItAndItsValue(string field, string value, string fault)
    {
        SetField(field, value);
        Assert.Contains(fault, AssertFails().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ManyUnusableFields_ReportsAllAtOnce()
    {
        SetField("hidden_act", "\"relu\"");
        SetField("num_hidden_layers", "0");
        SetField("rotary_pct", "2");
        var message = AssertFails().Message;
        Assert.All(["hidden_act", "num_hidden_layers", "rotary fraction"], fault => Assert.Contains(fault, message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("gelu_new", Activation.GeluTanh)]
    [InlineData("gelu_pytorch_tanh", Activation.GeluTanh)]
    [InlineData("gelu_fast", Activation.GeluTanh)]
    [InlineData("gelu", Activation.Gelu)]
    public void Open_NamesOfActivations_AreUnderstood(string name, Activation activation)
    {
        SetField("hidden_act", $"\"{name}\"");
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Assert.Equal(activation, checkpoint.Config.Activation);
    }

    [Fact]
    public void Open_FieldsLeftOut_AreHuggingFacesDefaults()
    {
        foreach (var field in (string[])["hidden_act", "layer_norm_eps", "rotary_emb_base", "rotary_pct", "tie_word_embeddings", "use_parallel_residual", "max_position_embeddings", "eos_token_id", "architectures"])
        {
            SetField(field, null);
        }

        using var checkpoint = Checkpoint.Open(_scratch.Path);
        using var original = Checkpoint.Open(Golden.Model("quarter-rotary"));
        Assert.Equal(original.Config with { EosTokenId = 2 }, checkpoint.Config);
    }

    [Theory]
    [InlineData("null", null)]
    [InlineData("7", 7)]
    [InlineData("[7]", 7)]
    public void Open_EndOfTextToken_MayBeAbsentOrAList(string value, int? expected)
    {
        SetField("eos_token_id", value);
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Assert.Equal(expected, checkpoint.Config.EosTokenId);
    }

    [Fact]
    public void Open_MissingMisshapenAndWronglyTypedTensors_ReportsAllWithShapes()
    {
        Rewrite(entries =>
        {
            entries.RemoveAll(entry => entry.Name == "gpt_neox.layers.1.mlp.dense_h_to_4h.weight");
            Replace(entries, "embed_out.weight", entry => entry with { Shape = [64, 128] });
            Replace(entries, "gpt_neox.final_layer_norm.bias", entry => entry with { Dtype = SafetensorsDtype.I32 });
        });

        var message = AssertFails().Message;

        Assert.Contains("(3 faults)", message, StringComparison.Ordinal);
        Assert.Contains("'gpt_neox.layers.1.mlp.dense_h_to_4h.weight' [256, 64] is missing", message, StringComparison.Ordinal);
        Assert.Contains("'embed_out.weight' should have the shape [128, 64], and has [64, 128]", message, StringComparison.Ordinal);
        Assert.Contains("'gpt_neox.final_layer_norm.bias' is I32", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TruncatedWeights_IsInvalid()
    {
        File.WriteAllBytes(_scratch.File("model.safetensors"), File.ReadAllBytes(_scratch.File("model.safetensors"))[..^1]);
        Assert.Contains("cut short", AssertFails().Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"model-00001-of-00003.safetensors\"", "\"../model.safetensors\"", "not a file in the folder")]
    [InlineData("\"model-00001-of-00003.safetensors\"", "\"/etc/passwd\"", "not a file in the folder")]
    [InlineData("\"model-00001-of-00003.safetensors\"", "\"absent.safetensors\"", "which is missing")]
    [InlineData("\"embed_out.weight\"", "\"embed_in.weight\"", "and it does not")]
    [InlineData("weight_map", "weights", "no weight_map")]
    [InlineData("{", "{{", "usable index")]
    public void Open_LyingIndex_IsInvalid(string old, string now, string fault)
    {
        using var sharded = ScratchFolder.CopyOf(Golden.Model("sharded-half"));
        sharded.Replace("model.safetensors.index.json", old, now);
        Assert.Contains(fault, AssertFails("CheckpointInvalid", sharded.Path).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _scratch.Dispose();

    private static void Replace(List<SafetensorsEntry> entries, string name, Func<SafetensorsEntry, SafetensorsEntry> change)
    {
        var index = entries.FindIndex(entry => entry.Name == name);
        entries[index] = change(entries[index]);
    }

    private void SetField(string field, string? value)
    {
        var config = JsonNode.Parse(File.ReadAllText(_scratch.File("config.json")))?.AsObject();
        Assert.NotNull(config);
        config.Remove(field);
        if (value is not null)
        {
            config.Add(field, JsonNode.Parse(value));
        }

        File.WriteAllText(_scratch.File("config.json"), config.ToJsonString());
    }

    private void Rewrite(Action<List<SafetensorsEntry>> change)
    {
        List<SafetensorsEntry> entries;
        using (var file = SafetensorsFile.Open(_scratch.File("model.safetensors")))
        {
            entries = [.. file.Tensors.Values.Select(tensor => SafetensorsEntry.FromMemory(tensor.Name, tensor.Dtype, tensor.Shape, tensor.AsSpan().ToArray()))];
        }

        change(entries);
        SafetensorsWriter.Write(_scratch.File("model.safetensors"), entries);
    }

    private InferenceException AssertFails(string code = "CheckpointInvalid", string? folder = null)
    {
        var error = Assert.Throws<InferenceException>(() => Checkpoint.Open(folder ?? _scratch.Path).Dispose());
        Assert.Equal(code, error.Code);
        Assert.NotEmpty(error.Remedy);
        return error;
    }
}
