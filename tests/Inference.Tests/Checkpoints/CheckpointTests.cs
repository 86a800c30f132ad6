using System.Runtime.InteropServices;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Tests.Checkpoints;

public sealed class CheckpointTests
{
    [Theory]
    [InlineData("full-rotary-tanh", 2, 64, 2, 176, 131, 32, 10000.0, 1e-5, Activation.GeluTanh, true, false, true)]
    [InlineData("head-80", 2, 160, 2, 640, 97, 20, 10000.0, 1e-5, Activation.Gelu, true, false, true)]
    [InlineData("quarter-rotary", 3, 64, 4, 256, 128, 4, 10000.0, 1e-5, Activation.Gelu, true, false, true)]
    [InlineData("serial", 3, 64, 1, 256, 128, 16, 10000.0, 1e-6, Activation.Gelu, false, false, true)]
    [InlineData("sharded-half", 2, 256, 1, 1024, 128, 64, 10000.0, 1e-5, Activation.Gelu, true, false, true)]
    [InlineData("tied-new-config", 2, 96, 3, 384, 120, 8, 50000.0, 1e-5, Activation.Gelu, true, true, false)]
    public void Open_GoldenModel_ReadsItsConfiguration(
        string name, int layers, int hidden, int heads, int intermediate, int vocabulary, int rotary, double rotaryBase, double epsilon, Activation activation, bool parallel, bool tied, bool bias)
    {
        using var checkpoint = Checkpoint.Open(Golden.Model(name));

        Assert.Equal(
            new ModelConfig
            {
                ModelType = "gpt_neox",
                Layers = layers,
                HiddenSize = hidden,
                Heads = heads,
                KvHeads = heads,
                HeadDim = hidden / heads,
                IntermediateSize = intermediate,
                VocabularySize = vocabulary,
                Window = 2048,
                RotaryDimensions = rotary,
                RotaryBase = rotaryBase,
                LayerNormEpsilon = epsilon,
                Activation = activation,
                ParallelResidual = parallel,
                TiedEmbeddings = tied,
                AttentionBias = bias,
                EosTokenId = 0,
            },
            checkpoint.Config);
        Assert.Equal(!tied, checkpoint.TryGet("embed_out.weight", out _));
        Assert.All(checkpoint.TensorNames, tensor => Assert.True(checkpoint.Get(tensor).Bytes > 0));
    }

    [Fact]
    public void Open_ShardsWithBuffersOfOldCheckpoints_NeedsNoneOfTheBuffers()
    {
        using var checkpoint = Checkpoint.Open(Golden.Model("sharded-half"));

        Assert.True(checkpoint.TryGet("gpt_neox.layers.1.attention.masked_bias", out _));
        Assert.DoesNotContain(checkpoint.TensorNames, name => name.Contains("masked_bias", StringComparison.Ordinal) || name.EndsWith("attention.bias", StringComparison.Ordinal));
        Assert.Equal(SafetensorsDtype.F16, checkpoint.Get("embed_out.weight").Dtype);
        Assert.Equal((2 * 128 * 256) + 512 + (2 * ((12 * 256 * 256) + (13 * 256))), checkpoint.Parameters);
    }

    [Fact]
    public void Get_Tensor_ReadsTheFilesOwnBytes()
    {
        using var checkpoint = Checkpoint.Open(Golden.Model("serial"));
        var tensor = checkpoint.Get("gpt_neox.final_layer_norm.weight");

        Assert.Equal([64], tensor.Shape);
        Assert.All(MemoryMarshal.Cast<byte, float>(tensor.AsSpan()).ToArray(), weight => Assert.InRange(weight, 0, 2)); // 1 + 0.2 * normal
        var part = new byte[8];
        tensor.Read(8, part);
        Assert.Equal(tensor.AsSpan()[8..16].ToArray(), part);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Read(250, part));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Read(-1, part));
    }

    [Fact]
    public void Get_UnknownName_NamesTheTensor()
    {
        using var checkpoint = Checkpoint.Open(Golden.Model("serial"));

        Assert.Contains("'nonsense'", Assert.Throws<InferenceException>(() => checkpoint.Get("nonsense")).Message, StringComparison.Ordinal);
    }
}
