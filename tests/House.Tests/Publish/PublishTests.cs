using System.Text.Json;
using Granary.Testing;

namespace Granary.House.Tests.Publish;

/// <summary>DESIGN, section 8: <c>dotnet publish src/Cli -c Release -o DIR</c> from a clean clone gives <c>DIR/granary</c>.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("granary-publish-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Publish_CleanClone_RunsTheCommand()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (clone, published) = (Path.Combine(_folder.FullName, "clone"), Path.Combine(_folder.FullName, "published"));
        await RunAsync("git", ["clone", "--quiet", "--local", Repository.Root, clone], cancellationToken);

        await RunAsync("dotnet", ["publish", Path.Combine(clone, "src/Cli"), "-c", "Release", "-o", published, "-v", "quiet", "-nodeReuse:false"], cancellationToken);

        // Away from the clone: what was published stands alone, and loads torch.
        Directory.Delete(clone, recursive: true);
        var command = Path.Combine(published, "granary");
        Assert.Matches(@"^\S*\d+\.\d+\.\d+", Assert.Single(await RunAsync(command, ["--version"], cancellationToken)));
        var described = await RunAsync(command, ["model", "info", Path.Combine(published, "models/ledger-4m"), "--json"], cancellationToken);
        Assert.StartsWith("{", Assert.Single(described), StringComparison.Ordinal);

        // The whole main job: computed, stored, asked three ways, restored by another process.
        var demo = await RunAsync(command, ["demo", "--store", Path.Combine(_folder.FullName, "store"), "--json"], cancellationToken);
        using var result = JsonDocument.Parse(demo[^1]);
        Assert.Equal((24, 1.0), (result.RootElement.GetProperty("contexts").GetInt32(), result.RootElement.GetProperty("equalAnswers").GetDouble()));

        var names = Directory.GetFiles(published).Select(path => Path.GetFileName(path)).ToList();
        Assert.Contains("libLibTorchSharp.so", names);
        Assert.DoesNotContain(names, name => name == "libtorch_python.so" || name.EndsWith("_test.so", StringComparison.Ordinal));
    }

    private Task<IReadOnlyList<string>> RunAsync(string file, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        Command.RunAsync(file, arguments, _folder.FullName, cancellationToken);
}
