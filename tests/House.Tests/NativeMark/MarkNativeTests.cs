using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Granary.Build;
using Microsoft.Build.Framework;

namespace Granary.House.Tests.NativeMark;

public sealed class MarkNativeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("granary-mark-");
    private readonly Messages _messages = new();

    private string Destination => Path.Combine(_folder.FullName, "marked/libLibTorchSharp.so");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Execute_ShippedLibrary_WritesACopyThatLeavesTheCacheAlone()
    {
        var before = SHA256.HashData(File.ReadAllBytes(BuildFacts.ShippedLibrary));

        Assert.True(Run(BuildFacts.ShippedLibrary), _messages.ToString());
        Assert.True(Run(BuildFacts.ShippedLibrary), _messages.ToString()); // again, over the first

        Assert.Equal(before, SHA256.HashData(File.ReadAllBytes(BuildFacts.ShippedLibrary)));
        Assert.Equal(new FileInfo(BuildFacts.ShippedLibrary).Length, new FileInfo(Destination).Length);
        Assert.Equal([Destination], Directory.GetFiles(_folder.FullName, "*", SearchOption.AllDirectories)); // no partial file stays
    }

    [Fact]
    public void Execute_DestinationLinksTheSource_LeavesTheSourceAlone()
    {
        // What an output folder is: a hard link into the NuGet cache. Writing in place would change the cache for everyone.
        var cached = Path.Combine(_folder.FullName, "cached.so");
        File.Copy(BuildFacts.ShippedLibrary, cached);
        Directory.CreateDirectory(Path.GetDirectoryName(Destination) ?? "");
        Assert.Equal(0, NativeMethods.Link(cached, Destination));

        Assert.True(Run(cached), _messages.ToString());

        Assert.Equal(File.ReadAllBytes(BuildFacts.ShippedLibrary), File.ReadAllBytes(cached));
    }

    [Fact]
    public async Task Execute_ManyAtOnce_AllSucceed()
    {
        var runs = Enumerable.Range(0, 8).Select(_ => Task.Run(() => Run(BuildFacts.ShippedLibrary)));

        Assert.All(await Task.WhenAll(runs), Assert.True);

        Assert.Single(Directory.GetFiles(_folder.FullName, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Execute_SourceIsNoLibrary_FailsWithTheReasonAndWritesNothing()
    {
        var garbage = Path.Combine(_folder.FullName, "garbage.so");
        File.WriteAllText(garbage, "not an ELF file");

        Assert.False(Run(garbage));

        Assert.Contains("no 64-bit x86-64 ELF library", _messages.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(Destination));
    }

    [Fact]
    public void Execute_ShippedLibrary_LoadsItsRuntimeNeedsHere()
    {
        Assert.True(Run(BuildFacts.ShippedLibrary), _messages.ToString());
        var newest = SystemRuntime.FindNewestVersion();

        // What the loader checks: every need that is not weak is met.
        Assert.All(
            new Elf(File.ReadAllBytes(Destination)).ReadNeeds().Where(need => (need.Flags & 2) == 0),
            need => Assert.True(GlibcxxVersion.Parse(need.Name) is not { } version || version <= newest, need.Name));
    }

    private bool Run(string source) => new MarkNative { Source = source, Destination = Destination, BuildEngine = _messages }.Execute();

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "link", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        internal static extern int Link(string existing, string added);
    }

    private sealed class Messages : IBuildEngine
    {
        private readonly List<string> _errors = [];

        public bool ContinueOnError => false;

        public int LineNumberOfTaskNode => 0;

        public int ColumnNumberOfTaskNode => 0;

        public string ProjectFileOfTaskNode => "";

        public bool BuildProjectFile(string projectFileName, string[] targetNames, System.Collections.IDictionary globalProperties, System.Collections.IDictionary targetOutputs) => false;

        public void LogCustomEvent(CustomBuildEventArgs e)
        {
        }

        public void LogErrorEvent(BuildErrorEventArgs e) => _errors.Add(e.Message ?? "");

        public void LogMessageEvent(BuildMessageEventArgs e)
        {
        }

        public void LogWarningEvent(BuildWarningEventArgs e) => _errors.Add(e.Message ?? "");

        public override string ToString() => string.Join('\n', _errors);
    }
}
