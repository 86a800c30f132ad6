using System.Text.RegularExpressions;
using System.Xml.Linq;
using Granary.House.Tests.Arrows;
using Granary.Testing;

namespace Granary.House.Tests.Sources;

/// <summary>House rules that no analyzer knows (STYLE, section 2).</summary>
public sealed partial class SourceTests
{
    private static readonly string[] EmptyNames = ["Helper", "Util", "Manager", "Common"];

    [Fact]
    public void Namespaces_OfSources_FollowTheFolders() => Assert.All([.. ProjectFile.ReadAll("src"), .. ProjectFile.ReadAll("samples"), .. ProjectFile.ReadAll("tests")], project =>
    {
        // The contract's types are everybody's: Granary.Contexts, not Granary.Grains.Interfaces.Contexts.
        var root = project.Name == "Grains.Interfaces" ? "Granary" : $"Granary.{project.Name}";
        Assert.All(GetSources(project), path =>
        {
            var declared = NamespaceLine().Match(File.ReadAllText(path));
            var folder = Path.GetRelativePath(project.Folder, Path.GetDirectoryName(path) ?? "").Replace('/', '.');
            var expected = folder == "." ? root : $"{root}.{folder}";
            Assert.True(!declared.Success || declared.Groups[1].Value == expected, $"{path} declares {declared.Groups[1].Value}, its folder says {expected}.");
        });
    });

    [Fact]
    public void FilesAndFolders_OfSrc_HaveNoEmptyNames() => Assert.All(ProjectFile.ReadAll("src").SelectMany(GetSources), path =>
        Assert.DoesNotContain(EmptyNames, name => EmptyName(name).IsMatch(Path.GetRelativePath(Repository.Root, path))));

    [Fact]
    public void Packages_Central_AreSortedAndExact()
    {
        // Each group is sorted by itself: what we use, then what we only pin.
        var groups = XDocument.Load(Repository.GetPath("Directory.Packages.props")).Descendants("ItemGroup").SelectMany(SplitAtComments);

        Assert.All(groups, group => Assert.Equal(group.Select(package => package.Name).Order(StringComparer.OrdinalIgnoreCase), group.Select(package => package.Name)));
        Assert.All(groups.SelectMany(group => group), package => Assert.DoesNotMatch(@"[\[\]\(\),*]", Regex.Replace(package.Version, @"^\$\(\w+\)$", "")));
    }

    [Fact]
    public void Packages_OfProjects_NameNoVersion() => Assert.All(
        Directory.GetFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories),
        path => Assert.DoesNotContain(XDocument.Load(path).Descendants("PackageReference"), package => package.Attribute("Version") is not null));

    private static IEnumerable<string> GetSources(ProjectFile project) =>
        Directory.GetFiles(project.Folder, "*.cs", SearchOption.AllDirectories)
            .Where(path => Path.GetRelativePath(project.Folder, path).Split('/')[0] is not ("bin" or "obj"));

    private static IEnumerable<List<(string Name, string Version)>> SplitAtComments(XElement items)
    {
        List<(string Name, string Version)> group = [];
        foreach (var node in items.Nodes())
        {
            if (node is XComment)
            {
                yield return group;
                group = [];
            }
            else if (node is XElement { Name.LocalName: "PackageVersion" } package)
            {
                group.Add(((string?)package.Attribute("Include") ?? "", (string?)package.Attribute("Version") ?? ""));
            }
        }

        yield return group;
    }

    // As a word of a PascalCase name: MemoryManager and Utils, not Utilization.
    private static Regex EmptyName(string name) => new($"{name}(s|[A-Z./]|$)", RegexOptions.CultureInvariant);

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
