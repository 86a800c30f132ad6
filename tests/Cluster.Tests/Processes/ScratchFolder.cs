namespace Granary.Cluster.Tests.Processes;

/// <summary>A folder that ends with its test.</summary>
internal sealed class ScratchFolder : IDisposable
{
    /// <summary>Gets its path.</summary>
    public string Root { get; } = Directory.CreateTempSubdirectory("granary-cluster-").FullName;

    /// <summary>Gets the path of something in it.</summary>
    public string GetPath(string name) => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
