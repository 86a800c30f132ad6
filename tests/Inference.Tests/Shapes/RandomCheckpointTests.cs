using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Tests.Shapes;

public sealed class RandomCheckpointTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private static ModelConfig Tiny => new()
    {
        ModelType = "gpt_neox",
        Layers = 2,
        HiddenSize = 60,
        Heads = 2,
        KvHeads = 2,
        HeadDim = 30,
        IntermediateSize = 70,
        VocabularySize = 40_000, // 2.4 million weights: more than one slice
        Window = 128,
        RotaryDimensions = 14,
        RotaryBase = 20000,
        LayerNormEpsilon = 1e-6,
        Activation = Activation.GeluTanh,
        ParallelResidual = false,
        TiedEmbeddings = true,
        AttentionBias = false,
        EosTokenId = null,
    };

    [Theory]
    [InlineData(SafetensorsDtype.F32)]
    [InlineData(SafetensorsDtype.F16)]
    public void Create_AnyConfiguration_OpensAsTheSame(SafetensorsDtype dtype)
    {
        var folder = _scratch.File("model");
        RandomCheckpoint.Create(Tiny, 1, folder, Path.Combine(Golden.SampleModel, "tokenizer.json"), dtype);

        using var checkpoint = Checkpoint.Open(folder);
        Assert.Equal(Tiny, checkpoint.Config);
        Assert.All(checkpoint.TensorNames, name => Assert.Equal(dtype, checkpoint.Get(name).Dtype));
        Assert.Equal(TextTokenizer.Load(Golden.SampleModel)?.Digest, TextTokenizer.Load(folder)?.Digest);
    }

    [Fact]
    public void Create_AllRotaryFractions_SurviveTheConfigurationFile()
    {
        for (var dimensions = 2; dimensions <= 30; dimensions += 2)
        {
            var config = Tiny with { RotaryDimensions = dimensions, VocabularySize = 8 };
            RandomCheckpoint.Create(config, 1, _scratch.File($"{dimensions}"));
            using var checkpoint = Checkpoint.Open(_scratch.File($"{dimensions}"));
            Assert.Equal(dimensions, checkpoint.Config.RotaryDimensions);
        }
    }

    [Fact]
    public void Create_SameSeed_GivesTheSameBytesAsEverAndAnotherSeedOthers()
    {
        RandomCheckpoint.Create(Tiny, 1, _scratch.File("a"));
        RandomCheckpoint.Create(Tiny, 1, _scratch.File("b"));
        RandomCheckpoint.Create(Tiny, 2, _scratch.File("c"));

        Assert.Equal(Hash("a"), Hash("b"));
        Assert.NotEqual(Hash("a"), Hash("c"));
        Assert.StartsWith("e924d393d73155f3b8bd2855ab1e1988", Hash("a"), StringComparison.Ordinal); // other bytes would make other models of the names that benchmarks give
    }

    [Fact]
    public void Create_Weights_HaveTheStatedMeanAndDeviation()
    {
        RandomCheckpoint.Create(Tiny with { TiedEmbeddings = false }, 1, _scratch.File("model"));
        using var checkpoint = Checkpoint.Open(_scratch.File("model"));

        var embedding = MemoryMarshal.Cast<byte, float>(checkpoint.Get("gpt_neox.embed_in.weight").AsSpan()).ToArray();
        var head = MemoryMarshal.Cast<byte, float>(checkpoint.Get("embed_out.weight").AsSpan()).ToArray();
        Assert.Equal(0, embedding.Average(), 0.01);
        Assert.Equal(1, embedding.Average(weight => weight * weight), 0.01);
        Assert.Equal(16.0 / 60, head.Average(weight => weight * weight), 0.01);
        Assert.True(embedding.Distinct().Count() > 100_000, "The weights repeat.");
        Assert.Equal(0, embedding.Zip(head, (a, b) => (double)a * b).Average(), 0.01); // tensors are independent
    }

    [Fact]
    public void Create_FolderWithFiles_RefusesAndLeavesThem()
    {
        File.WriteAllText(_scratch.File("precious.txt"), "keep");

        var error = Assert.Throws<InferenceException>(() => RandomCheckpoint.Create(Tiny, 1, _scratch.Path));

        Assert.Equal("InvalidArgument", error.Code);
        Assert.Equal(["precious.txt"], Directory.EnumerateFileSystemEntries(_scratch.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Create_Cancelled_LeavesNoFile()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => RandomCheckpoint.Create(Tiny, 1, _scratch.File("model"), cancellationToken: source.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch.File("model")));
    }

    [Fact]
    public void Create_NoSuchTokenizer_WritesNothing()
    {
        var error = Assert.Throws<InferenceException>(() => RandomCheckpoint.Create(Tiny, 1, _scratch.File("model"), _scratch.File("nowhere.json")));

        Assert.Equal("FileNotFound", error.Code);
        Assert.False(Directory.Exists(_scratch.File("model")));
    }

    public void Dispose() => _scratch.Dispose();

    private string Hash(string folder) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(_scratch.File(folder), "model.safetensors"))));
}
