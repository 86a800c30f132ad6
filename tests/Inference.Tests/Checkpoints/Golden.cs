namespace Granary.Inference.Tests.Checkpoints;

/// <summary>Where the goldens lie beside the tests.</summary>
internal static class Golden
{
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Golden");

    public static string SampleModel { get; } = Path.Combine(AppContext.BaseDirectory, "Models", "ledger-4m");

    public static string Model(string name) => Path.Combine(Folder, "models", name);

    /// <summary>Finds the public data that lies beside the repository, never in it.</summary>
    public static string? FindShared(string relative)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Distributed.sln")))
            {
                // A worktree may lie deeper than the repository: look beside every folder above.
                for (var above = folder.Parent; above is not null; above = above.Parent)
                {
                    var path = Path.Combine(above.FullName, "shared", relative);
                    if (File.Exists(path))
                    {
                        return path;
                    }
                }

                return null;
            }
        }

        return null;
    }
}
