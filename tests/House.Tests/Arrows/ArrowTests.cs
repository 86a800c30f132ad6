using Granary.Testing;

namespace Granary.House.Tests.Arrows;

/// <summary>DESIGN, section 1: who may use whom.</summary>
public sealed class ArrowTests
{
    // Users on the left. A project that is not here fails: a new one changes the design first.
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Cli"] = ["Client", "Inference", "Silo"],
        ["Client"] = ["Grains.Interfaces"],
        ["Grains"] = ["Grains.Interfaces", "Inference", "Storage"],
        ["Grains.Interfaces"] = [],
        ["Inference"] = [],
        ["Silo"] = ["Client", "Grains"],
        ["Storage"] = [],
    };

    // Package families that a project must not know, by the beginning of a package's name.
    private static readonly Dictionary<string, string[]> Strangers = new()
    {
        ["Cli"] = ["Azure.", "Microsoft.Orleans.", "TorchSharp", "libtorch"],
        ["Client"] = ["Azure.", "TorchSharp", "libtorch"],
        ["Grains"] = ["Azure.", "TorchSharp", "libtorch"],
        ["Grains.Interfaces"] = ["Azure.", "TorchSharp", "libtorch"],
        ["Inference"] = ["Azure.", "Microsoft.Orleans."],
        ["Silo"] = ["Azure.", "TorchSharp", "libtorch"],
        ["Storage"] = ["Microsoft.Orleans.", "TorchSharp", "libtorch", "StackExchange.Redis"],
    };

    // A sample shows what a service of somebody else would write: the SDK, and the silo that it may embed.
    private static readonly string[] OpenToSamples = ["Client", "Silo"];

    [Fact]
    public void Projects_OfSrc_AreThoseOfTheDesign() =>
        Assert.Equal(Arrows.Keys.Order(StringComparer.Ordinal), ProjectFile.ReadAll("src").Select(project => project.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void ProjectReferences_OfSrc_AreTheArrows() =>
        Assert.All(ProjectFile.ReadAll("src"), project => Assert.Equal(Arrows[project.Name], project.Projects));

    [Fact]
    public void PackageReferences_OfSrc_NameNoStranger() =>
        Assert.All(ProjectFile.ReadAll("src"), project => Assert.DoesNotContain(
            project.Packages, package => Strangers[project.Name].Any(family => package.StartsWith(family, StringComparison.OrdinalIgnoreCase))));

    [Fact]
    public void PackageReferences_OfTheContract_AreOrleansSdkOnly() =>
        Assert.Equal(["Microsoft.Orleans.Sdk"], ProjectFile.ReadAll("src").Single(project => project.Name == "Grains.Interfaces").Packages);

    [Fact]
    public void References_OfSamples_AreTheSdkAndTheSilo() => Assert.All(ProjectFile.ReadAll("samples"), project =>
    {
        Assert.Subset(OpenToSamples.ToHashSet(), project.Projects.ToHashSet());
        Assert.DoesNotContain(project.Packages, package => Strangers["Cli"].Any(family => package.StartsWith(family, StringComparison.OrdinalIgnoreCase)));
    });

    [Fact]
    public void TestProjects_MirrorSrc()
    {
        var tests = ProjectFile.ReadAll("tests").Select(project => project.Name).ToList();
        string[] others = ["Cluster.Tests", "House.Tests", "Samples.Tests", "Testing"]; // of the whole, or of samples/, not of one project

        Assert.All(Arrows.Keys, name => Assert.Contains($"{name}.Tests", tests));
        Assert.All(tests.Except(others), name => Assert.Contains(name.Replace(".Tests", "", StringComparison.Ordinal), Arrows.Keys));
    }

    [Fact]
    public void Projects_All_AreInTheSolution()
    {
        var solution = File.ReadAllText(Repository.GetPath("Distributed.sln"));

        Assert.All([.. ProjectFile.ReadAll("src"), .. ProjectFile.ReadAll("samples"), .. ProjectFile.ReadAll("tests")], project =>
            Assert.Contains($"\\{project.Name}.csproj\"", solution, StringComparison.Ordinal));
    }
}
