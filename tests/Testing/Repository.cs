namespace Granary.Testing;

/// <summary>The clone that the running tests were built in.</summary>
public static class Repository
{
    /// <summary>Gets the folder of Distributed.sln.</summary>
    public static string Root { get; } = FindRoot(AppContext.BaseDirectory);

    /// <summary>Gets the full path of something in the clone.</summary>
    public static string GetPath(string relative) => Path.Combine(Root, relative);

    private static string FindRoot(string start)
    {
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Distributed.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Distributed.sln above '{start}'. Run the tests from the output folder inside the clone.");
    }
}
