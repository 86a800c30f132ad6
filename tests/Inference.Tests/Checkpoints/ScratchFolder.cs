namespace Granary.Inference.Tests.Checkpoints;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("granary-test-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Copies a golden model, so that a test can damage it.</summary>
    public static ScratchFolder CopyOf(string source)
    {
        var scratch = new ScratchFolder();
        foreach (var file in Directory.EnumerateFiles(source))
        {
            System.IO.File.WriteAllBytes(scratch.File(System.IO.Path.GetFileName(file)), System.IO.File.ReadAllBytes(file));
        }

        return scratch;
    }

    public void Replace(string file, string old, string now)
    {
        var text = System.IO.File.ReadAllText(File(file));
        Assert.Contains(old, text, StringComparison.Ordinal);
        System.IO.File.WriteAllText(File(file), text.Replace(old, now, StringComparison.Ordinal));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
