// Compiled twice: by MSBuild as an inline task (against netstandard2.0, without implicit usings), and into tests/House.Tests.
#nullable enable
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;

namespace Granary.Build;

/// <summary>Writes a copy of TorchSharp's native library that loads on this system's C++ runtime.</summary>
/// <remarks>README.md beside this file says what is marked, and why that is safe.</remarks>
public sealed class MarkNative : Microsoft.Build.Utilities.Task
{
    /// <summary>Gets or sets the path of the library as shipped. It is read only: outputs are hard links into the NuGet cache.</summary>
    [Required]
    public string Source { get; set; } = "";

    /// <summary>Gets or sets the path of the copy. It appears whole, by rename.</summary>
    [Required]
    public string Destination { get; set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        try
        {
            var library = File.ReadAllBytes(Source);
            var marked = WeakNeeds.Mark(library, SystemRuntime.FindNewestVersion());
            WriteByRename(library);
            Log.LogMessage(MessageImportance.Normal, "{0}: {1} version need(s) marked weak in {2}.", Path.GetFileName(Source), marked, Destination);
            return true;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Log.LogError("{0} cannot be made to load on this system: {1}", Source, e.Message);
            return false;
        }
    }

    private void WriteByRename(byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(Destination))!);
        var partial = Destination + "." + Guid.NewGuid().ToString("N") + ".tmp";
        try
        {
            File.WriteAllBytes(partial, content);
            try
            {
                File.Move(partial, Destination);
            }
            catch (IOException) when (File.Exists(Destination))
            {
                // An older copy, or that of a project built beside this one. Replace is rename(2): readers see the one or the other, whole.
                File.Replace(partial, Destination, null);
            }
        }
        finally
        {
            File.Delete(partial);
        }
    }
}

/// <summary>Marks needs of a newer C++ runtime weak, where nothing but the marker symbol asks for them.</summary>
internal static class WeakNeeds
{
    /// <summary>GCC 13's iostream header makes every object refer to it, so that old runtimes refuse; nothing ever binds it.</summary>
    internal const string MarkerSymbol = "_ZSt21ios_base_library_initv";

    private const ushort WeakFlag = 2; // VER_FLG_WEAK: the loader does not refuse where the version is missing

    /// <summary>Marks, in place, each need that <paramref name="newest"/> does not meet.</summary>
    /// <returns>The number of needs that changed; 0 where the library loads as it is.</returns>
    /// <exception cref="InvalidDataException">It is no such ELF file, or it needs more of a newer runtime than the marker: use an image with that runtime.</exception>
    internal static int Mark(byte[] library, Version? newest)
    {
        var elf = new Elf(library);
        var marked = 0;
        foreach (var need in elf.ReadNeeds().Where(need => GlibcxxVersion.Parse(need.Name) is { } version && (newest is null || version > newest)))
        {
            // Without a runtime to compare with, only the known need is marked: it does no harm where the version exists.
            var symbols = elf.FindSymbols(need.Index);
            if (newest is null && !symbols.Any(symbol => symbol.Name == MarkerSymbol))
            {
                continue;
            }

            if (symbols.Count != 1 || symbols[0].Name != MarkerSymbol || elf.IsRelocated(symbols[0].Number))
            {
                throw new InvalidDataException(
                    $"it needs {need.Name} for {string.Join(", ", symbols.Select(symbol => symbol.Name).DefaultIfEmpty("no symbol"))}, and this system's libstdc++.so.6 has "
                    + $"{GlibcxxVersion.Prefix}{newest?.ToString() ?? "no version"}. Build on an image whose libstdc++ has it, such as Ubuntu 24.04.");
            }

            if ((need.Flags & WeakFlag) == 0)
            {
                elf.WriteUInt16(need.FlagsOffset, (ushort)(need.Flags | WeakFlag));
                marked++;
            }
        }

        return marked;
    }
}

/// <summary>The C++ runtime that the loader of this system would choose.</summary>
internal static class SystemRuntime
{
    private const string FileName = "libstdc++.so.6";
    private static readonly string[] LoaderCacheReaders = ["/sbin/ldconfig", "/usr/sbin/ldconfig"];

    /// <summary>Finds the newest GLIBCXX version that it defines; null where there is no such library.</summary>
    internal static Version? FindNewestVersion()
    {
        foreach (var path in FindCandidates().Where(File.Exists))
        {
            try
            {
                return FindNewestVersion(File.ReadAllBytes(path));
            }
            catch (InvalidDataException)
            {
                // Of another machine type, say a 32-bit one: the loader passes it over too.
            }
        }

        return null;
    }

    /// <summary>Finds the newest GLIBCXX version that <paramref name="library"/> defines; null where it defines none.</summary>
    internal static Version? FindNewestVersion(byte[] library) => new Elf(library).ReadDefinitions().Select(GlibcxxVersion.Parse).Max();

    private static IEnumerable<string> FindCandidates()
    {
        var named = (Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") ?? "").Split(':').Where(folder => folder.Length > 0);
        string[] usual = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib", "/lib"];
        return named.Select(folder => Path.Combine(folder, FileName)).Concat(ReadLoaderCache()).Concat(usual.Select(folder => Path.Combine(folder, FileName)));
    }

    private static List<string> ReadLoaderCache()
    {
        var ldconfig = LoaderCacheReaders.FirstOrDefault(File.Exists);
        if (ldconfig is null)
        {
            return [];
        }

        using var process = Process.Start(new ProcessStartInfo(ldconfig, "-p") { RedirectStandardOutput = true, UseShellExecute = false })!;
        var lines = process.StandardOutput.ReadToEnd().Split('\n');
        process.WaitForExit();
        return [.. lines.Where(line => line.Contains(FileName) && line.Contains("x86-64") && line.Contains("=> ")).Select(line => line.Substring(line.IndexOf("=> ", StringComparison.Ordinal) + 3).Trim())];
    }
}

/// <summary>Names such as GLIBCXX_3.4.32.</summary>
internal static class GlibcxxVersion
{
    internal const string Prefix = "GLIBCXX_";

    /// <summary>Reads the number; null for a name of another kind, such as GLIBCXX_LDBL_3.4 or CXXABI_1.3.</summary>
    internal static Version? Parse(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal) && Version.TryParse(name.Substring(Prefix.Length), out var version) ? version : null;
}

/// <summary>The symbol version tables of an ELF file of x86-64 (System V gABI; LSB 5.0, section 10.7).</summary>
internal sealed class Elf
{
    private const uint RelocationSection = 4, DynamicSymbolSection = 11, DefinitionSection = 0x6ffffffd, NeedSection = 0x6ffffffe, SymbolVersionSection = 0x6fffffff;
    private readonly byte[] _bytes;
    private readonly List<(uint Kind, int Offset, int Size, int Link)> _sections = [];

    /// <summary>Reads the section table of <paramref name="bytes"/>, which it keeps and <see cref="WriteUInt16"/> changes.</summary>
    /// <exception cref="InvalidDataException">It is no 64-bit little-endian x86-64 ELF file, or it ends too early.</exception>
    internal Elf(byte[] bytes)
    {
        _bytes = bytes;
        if (bytes.Length < 64 || ReadUInt32(0) != 0x464c457f || bytes[4] != 2 || bytes[5] != 1 || ReadUInt16(18) != 62)
        {
            throw new InvalidDataException($"the file of {bytes.Length} bytes is no 64-bit x86-64 ELF library. Delete its folder in the NuGet cache and restore again.");
        }

        var (table, size, count) = (ReadInt(40), ReadUInt16(58), ReadUInt16(60));
        for (var i = 0; i < count; i++)
        {
            var at = Sum(table, i * size);
            _sections.Add((ReadUInt32(Sum(at, 4)), ReadInt(Sum(at, 24)), ReadInt(Sum(at, 32)), (int)ReadUInt32(Sum(at, 40))));
        }
    }

    /// <summary>Reads the versions that the file needs of other libraries.</summary>
    internal List<(string Name, int Index, ushort Flags, int FlagsOffset)> ReadNeeds()
    {
        List<(string Name, int Index, ushort Flags, int FlagsOffset)> needs = [];
        foreach (var section in Find(NeedSection))
        {
            // Verneed { half version, count; word file, aux, next }, Vernaux { word hash; half flags, other; word name, next }
            WalkChain(section.Offset, 12, file => WalkChain(Sum(file, (int)ReadUInt32(Sum(file, 8))), 12, at =>
                needs.Add((ReadString(section, (int)ReadUInt32(Sum(at, 8))), ReadUInt16(Sum(at, 6)), ReadUInt16(Sum(at, 4)), at + 4))));
        }

        return needs;
    }

    /// <summary>Reads the names of the versions that the file defines.</summary>
    internal List<string> ReadDefinitions()
    {
        List<string> names = [];
        foreach (var section in Find(DefinitionSection))
        {
            // Verdef { half version, flags, index, count; word hash, aux, next }, Verdaux { word name, next }; the first of these is its name
            WalkChain(section.Offset, 16, at => names.Add(ReadString(section, (int)ReadUInt32(Sum(at, (int)ReadUInt32(Sum(at, 12)))))));
        }

        return names;
    }

    /// <summary>Finds the dynamic symbols that carry the version of this index.</summary>
    internal List<(int Number, string Name)> FindSymbols(int version)
    {
        List<(int Number, string Name)> symbols = [];
        foreach (var (versions, table) in Find(SymbolVersionSection).Select(section => (section, GetLinked(section))))
        {
            for (var i = 0; i < versions.Size / 2; i++)
            {
                if ((ReadUInt16(Sum(versions.Offset, i * 2)) & 0x7fff) == version) // the top bit says "hidden"
                {
                    symbols.Add((i, ReadString(table, (int)ReadUInt32(Sum(table.Offset, i * 24)))));
                }
            }
        }

        return symbols;
    }

    /// <summary>Says whether a relocation would bind the dynamic symbol of this number.</summary>
    internal bool IsRelocated(int symbol) =>
        Find(RelocationSection).Where(section => GetLinked(section).Kind == DynamicSymbolSection)
            .Any(section => Enumerable.Range(0, section.Size / 24).Any(i => ReadUInt32(Sum(section.Offset, (i * 24) + 12)) == symbol));

    /// <summary>Writes a half word, where one was read.</summary>
    internal void WriteUInt16(int offset, ushort value) => (_bytes[offset], _bytes[offset + 1]) = ((byte)value, (byte)(value >> 8));

    private IEnumerable<(uint Kind, int Offset, int Size, int Link)> Find(uint kind) => _sections.Where(section => section.Kind == kind);

    private (uint Kind, int Offset, int Size, int Link) GetLinked((uint Kind, int Offset, int Size, int Link) section) =>
        section.Link >= 0 && section.Link < _sections.Count ? _sections[section.Link] : throw Broken($"a section that names section {section.Link} of {_sections.Count}");

    private void WalkChain(int offset, int nextAt, Action<int> visit)
    {
        for (var (at, left) = (offset, 4096); left > 0; left--) // libstdc++ defines about 60 versions
        {
            visit(at);
            var next = (int)ReadUInt32(Sum(at, nextAt));
            if (next == 0)
            {
                return;
            }

            at = Sum(at, next);
        }

        throw Broken("a chain of versions without an end");
    }

    private string ReadString((uint Kind, int Offset, int Size, int Link) section, int offset)
    {
        var start = Sum(GetLinked(section).Offset, offset);
        var end = start < _bytes.Length ? Array.IndexOf(_bytes, (byte)0, start) : -1;
        return end >= 0 ? Encoding.ASCII.GetString(_bytes, start, end - start) : throw Broken($"a name at byte {start} without an end");
    }

    private ushort ReadUInt16(int offset) =>
        offset >= 0 && offset <= _bytes.Length - 2 ? (ushort)(_bytes[offset] | (_bytes[offset + 1] << 8)) : throw Broken($"a table that goes to byte {offset + 2L}");

    private uint ReadUInt32(int offset) => ReadUInt16(offset) | ((uint)ReadUInt16(Sum(offset, 2)) << 16);

    private int ReadInt(int offset)
    {
        var (low, high) = (ReadUInt32(offset), ReadUInt32(Sum(offset, 4)));
        return high == 0 && low <= int.MaxValue ? (int)low : throw Broken($"an offset or size beyond 2 GB at byte {offset}");
    }

    private int Sum(int left, int right)
    {
        var sum = (long)left + right;
        return sum >= 0 && sum <= int.MaxValue ? (int)sum : throw Broken($"a table at byte {sum}");
    }

    private InvalidDataException Broken(string what) => new($"the ELF file of {_bytes.Length} bytes has {what}. Delete its folder in the NuGet cache and restore again.");
}
