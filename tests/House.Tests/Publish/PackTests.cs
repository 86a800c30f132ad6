using System.Xml.Linq;
using Granary.Testing;

namespace Granary.House.Tests.Publish;

/// <summary><c>dotnet pack src/Client -c Release -o DIR</c> gives what another repository can reference: the SDK, and the contract that it needs.</summary>
public sealed class PackTests : IDisposable
{
    private static readonly string[] Ids = ["Granary.Client", "Granary.Grains.Interfaces"];
    private static readonly string Version = XDocument.Load(Repository.GetPath("Directory.Build.props")).Descendants("Version").Single().Value;
    private static readonly string Configuration = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory).Split('/')[^3]; // bin/<configuration>/net10.0/linux-x64
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("granary-pack-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Pack_Client_IsCompleteAndCanBeReferenced()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var packed = Path.Combine(_folder.FullName, "packed");

        // What was built is packed, so that nothing is compiled under the feet of the tests.
        await RunAsync(["pack", Repository.GetPath("src/Client"), "-c", Configuration, "-o", packed, "--no-build", "-v", "quiet"], cancellationToken);

        Assert.Equal(
            Ids.SelectMany(id => new[] { $"{id}.{Version}.nupkg", $"{id}.{Version}.snupkg" }),
            Directory.GetFiles(packed).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.All(Ids, id => AssertComplete(id, Path.Combine(packed, $"{id}.{Version}.nupkg")));
        AssertClientNeeds(Path.Combine(packed, $"Granary.Client.{Version}.nupkg"));

        var program = await ConsumerProject.BuildAsync(Path.Combine(_folder.FullName, "consumer"), packed, Version, cancellationToken);
        Assert.Equal(["Unavailable"], await RunAsync([program, "localhost:1"], cancellationToken));
    }

    private static void AssertComplete(string id, string path)
    {
        using var package = new Package(path);
        using var symbols = new Package(Path.ChangeExtension(path, ".snupkg"));

        // One assembly for all: a folder below runtimes/ would be for one kind of machine only.
        Assert.Equal([$"{id}.nuspec", "README.md", $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml"], package.Files);
        Assert.True(package.IsPortable($"lib/net10.0/{id}.dll"), $"{id} is compiled for one processor.");
        Assert.Contains($"lib/net10.0/{id}.pdb", symbols.Files);
        Assert.Equal((id, "Apache-2.0", "README.md"), (package["id"], package["license"], package["readme"]));
        Assert.All(["description", "tags", "authors"], element => Assert.NotEmpty(package[element] ?? ""));
        Assert.Contains("<summary>", package.ReadText($"lib/net10.0/{id}.xml"), StringComparison.Ordinal);
    }

    private static void AssertClientNeeds(string path)
    {
        using var client = new Package(path);

        Assert.Equal(Version, client.Dependencies["Granary.Grains.Interfaces"]);
        Assert.Contains("Microsoft.Extensions.AI.Abstractions", client.Dependencies.Keys);
        Assert.DoesNotContain(client.Dependencies.Keys, id => id.Contains("Torch", StringComparison.OrdinalIgnoreCase) || id.StartsWith("Azure.", StringComparison.Ordinal) || id.EndsWith("Analyzers", StringComparison.Ordinal));
    }

    private Task<IReadOnlyList<string>> RunAsync(IEnumerable<string> arguments, CancellationToken cancellationToken) => Command.RunAsync("dotnet", arguments, _folder.FullName, cancellationToken);
}
