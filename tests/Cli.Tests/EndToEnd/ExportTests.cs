using Granary.Inference.Safetensors;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>A context's export, over a real silo and folder.</summary>
public sealed class ExportTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    private static readonly string Model = Workplace.Model("quarter-rotary");

    [Fact]
    public async Task Export_StoredContext_WritesOneFileOfItsKvAndTokens()
    {
        (await silo.RunAsync("context", "create", "whole", "--model", Model, "--tokens", "5,6,7,8,9")).Succeeded();
        var file = silo.Place.Path("whole.safetensors");

        var document = (await silo.RunAsync("context", "export", "whole", "--model", Model, "--out", file)).Succeeded().Result;

        Assert.Equal(["context", "model", "version", "numerics", "dtype", "tokens", "bytes", "out"], document.AsObject().Select(static field => field.Key));
        Assert.Equal(("whole", "float32", 5, new FileInfo(file).Length), ((string?)document["context"], (string?)document["dtype"], (int?)document["tokens"], (long?)document["bytes"]));
        using var exported = SafetensorsFile.Open(file);
        using var chunk = SafetensorsFile.Open(Directory.GetFiles(Path.Combine(silo.Place.Store, "chunks"), "*.safetensors", SearchOption.AllDirectories).Single());
        Assert.Equal("granary-context", exported.Metadata["format"]);
        Assert.Equal(chunk.Tensors.Keys.Order(StringComparer.Ordinal), exported.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(exported.Tensors, tensor =>
        {
            var stored = chunk.Tensors[tensor.Key];
            Assert.Equal(tensor.Key == "tokens" ? stored.Shape : [1, .. stored.Shape], tensor.Value.Shape);
            Assert.Equal(stored.AsSpan().ToArray(), tensor.Value.AsSpan().ToArray()); // of one page both are the same
        });
    }

    [Fact]
    public async Task Export_NoSuchContext_LeavesNoFile()
    {
        var file = silo.Place.Path("none.safetensors");
        (await silo.RunAsync("context", "export", "nobody", "--model", Model, "--out", file)).Refused(3, "ContextNotFound", "nobody");
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task Export_FolderIsMissing_SaysSo() =>
        (await silo.RunAsync("context", "export", "nobody", "--model", Model, "--out", silo.Place.Path("no/such/file"))).Refused(2, "InvalidArgument", "no/such/file");
}
