using System.IO.Compression;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace Granary.House.Tests.Publish;

/// <summary>What a <c>.nupkg</c> or <c>.snupkg</c> holds.</summary>
internal sealed class Package : IDisposable
{
    private readonly ZipArchive _archive;
    private readonly XElement _metadata;

    internal Package(string path)
    {
        _archive = ZipFile.OpenRead(path);
        using var nuspec = _archive.Entries.Single(entry => entry.Name.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        _metadata = XDocument.Load(nuspec).Descendants().Single(element => element.Name.LocalName == "metadata");
    }

    /// <summary>Gets the files, without those that belong to the container.</summary>
    internal IEnumerable<string> Files => _archive.Entries
        .Select(entry => entry.FullName)
        .Where(name => !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal) && name != "[Content_Types].xml")
        .Order(StringComparer.Ordinal);

    internal IReadOnlyDictionary<string, string> Dependencies => _metadata.Descendants()
        .Where(element => element.Name.LocalName == "dependency")
        .ToDictionary(element => (string?)element.Attribute("id") ?? "", element => (string?)element.Attribute("version") ?? "");

    /// <summary>Gets an element of the nuspec.</summary>
    internal string? this[string element] => _metadata.Elements().SingleOrDefault(child => child.Name.LocalName == element)?.Value;

    internal string ReadText(string file)
    {
        using var reader = new StreamReader(Open(file));
        return reader.ReadToEnd();
    }

    /// <summary>Tells whether an assembly runs on every processor.</summary>
    internal bool IsPortable(string file)
    {
        using var copy = new MemoryStream();
        using (var stream = Open(file))
        {
            stream.CopyTo(copy);
        }

        copy.Position = 0;
        using var image = new PEReader(copy);
        // I386 is what AnyCPU is written as, unless the header asks for 32 bits.
        return image.PEHeaders is { CoffHeader.Machine: Machine.I386, CorHeader.Flags: var flags } && flags.HasFlag(CorFlags.ILOnly) && !flags.HasFlag(CorFlags.Requires32Bit);
    }

    public void Dispose() => _archive.Dispose();

    private Stream Open(string file) => (_archive.GetEntry(file) ?? throw new FileNotFoundException(file)).Open();
}
