using System.Xml.Linq;
using Granary.Testing;

namespace Granary.House.Tests.Arrows;

/// <summary>What a project of the clone says it uses.</summary>
internal sealed record ProjectFile(string Name, string Folder, IReadOnlyList<string> Projects, IReadOnlyList<string> Packages)
{
    /// <summary>Reads all projects below a folder of the clone, such as <c>src</c>.</summary>
    internal static IReadOnlyList<ProjectFile> ReadAll(string folder) =>
        [.. Directory.GetFiles(Repository.GetPath(folder), "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(Read)];

    private static ProjectFile Read(string path)
    {
        var project = XDocument.Load(path);
        return new ProjectFile(
            Path.GetFileNameWithoutExtension(path),
            Path.GetDirectoryName(path) ?? "",
            [.. GetIncludes(project, "ProjectReference").Select(reference => Path.GetFileNameWithoutExtension(reference))],
            [.. GetIncludes(project, "PackageReference")]);
    }

    private static IEnumerable<string> GetIncludes(XDocument project, string item) =>
        project.Descendants(item).Select(reference => (string?)reference.Attribute("Include")).OfType<string>().Order(StringComparer.Ordinal);
}
