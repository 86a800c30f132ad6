using Granary.Testing;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>A temporary folder with a store, and the goldens that Hugging Face made.</summary>
public sealed class Workplace : IDisposable
{
    // One thread: where tests share the cores, libtorch's threads wait for each other more than they compute. Stored pages are loaded: which way an answer came
    // must not depend on the machine.
    public Workplace() => Write("appsettings.json", """{"Granary":{"Engine":{"Threads":1},"Plan":{"Default":"load"}}}""");

    /// <summary>Gets the folder, which is also the command's working folder.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("granary-e2e-").FullName;

    /// <summary>Gets the store in it.</summary>
    public string Store => Path("store");

    /// <summary>Gets the bundled sample model.</summary>
    public static string SampleModel => Repository.GetPath("models/ledger-4m");

    /// <summary>Gets the path of a golden file of the inference tests.</summary>
    public static string Golden(string relative) => Repository.GetPath($"tests/Inference.Tests/Golden/{relative}");

    /// <summary>Gets the folder of a golden model.</summary>
    public static string Model(string name) => Golden($"models/{name}");

    /// <summary>Gets a path in the folder.</summary>
    public string Path(string relative) => System.IO.Path.Combine(Folder, relative);

    /// <summary>Writes a file into the folder.</summary>
    /// <returns>Its path.</returns>
    public string Write(string relative, string content)
    {
        File.WriteAllText(Path(relative), content);
        return Path(relative);
    }

    /// <summary>Copies a golden model into the folder, to be damaged.</summary>
    /// <returns>Its path.</returns>
    public string CopyOf(string model, string name)
    {
        Directory.CreateDirectory(Path(name));
        foreach (var file in Directory.GetFiles(Model(model)))
        {
            File.Copy(file, System.IO.Path.Combine(Path(name), System.IO.Path.GetFileName(file)));
        }

        return Path(name);
    }

    /// <summary>Lists the objects of a store: contexts, chunks, data sets, specs; not its locks, versions and folders.</summary>
    public static string[] Objects(string store) => !Directory.Exists(store)
        ? []
        : [.. Directory.GetFiles(store, "*", SearchOption.AllDirectories)
            .Select(path => System.IO.Path.GetRelativePath(store, path))
            .Where(path => !path.StartsWith('.') || path.StartsWith(".tmp", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

    internal Task<CommandRun> RunAsync(params string[] arguments) => CommandRun.RunAsync(Folder, null, arguments);

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
