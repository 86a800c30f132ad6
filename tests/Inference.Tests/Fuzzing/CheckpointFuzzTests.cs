using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;
using Granary.Inference.Tokenizers;
using Granary.Testing;
using Granary.Testing.Fuzzing;

namespace Granary.Inference.Tests.Fuzzing;

/// <summary>The files of a checkpoint, edited: each gives a result or an error that names it.</summary>
public sealed class CheckpointFuzzTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("granary-fuzz-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Safetensors_AnyEdit_IsReadOrNamed()
    {
        var path = Path.Combine(_folder, "real.safetensors");
        SafetensorsWriter.Write(
            path,
            [.. Enumerable.Range(0, 12).Select(static layer => SafetensorsEntry.FromMemory($"gpt_neox.layers.{layer}.attention.dense.weight", SafetensorsDtype.F32, [2, 3], new byte[24]))],
            new Dictionary<string, string> { ["format"] = "pt" });
        Run(path, 64, file =>
        {
            using var opened = SafetensorsFile.Open(file);
            foreach (var tensor in opened.Tensors.Values)
            {
                Assert.Equal(0, tensor.AsSpan().IndexOf(tensor.AsSpan())); // every byte that is claimed is there
            }
        });
    }

    [Fact]
    public void Config_AnyEdit_IsReadOrNamed() =>
        Run(Repository.GetPath("models/ledger-4m/config.json"), 64, _ => ConfigFile.Read(_folder), ConfigFile.Name);

    [Fact]
    public void Tokenizer_AnyEdit_IsReadOrNamed() =>
        Run(Repository.GetPath("models/ledger-4m/tokenizer.json"), 96, static file =>
        {
            var tokenizer = TextTokenizer.LoadFile(file);
            _ = tokenizer.Decode(tokenizer.Encode("The miller of Wesby is Nils."));
        });

    private void Run(string real, int bytesForByte, Action<string> parse, string name = "edited")
    {
        var edited = Path.Combine(_folder, name);
        Fuzz.Run(
            File.ReadAllBytes(real),
            content =>
            {
                File.WriteAllBytes(edited, content);
                parse(edited);
            },
            static e => e is InferenceException { Code: "CheckpointInvalid" or "TokenizerInvalid", Remedy.Length: > 0 },
            bytesForByte);
    }
}
