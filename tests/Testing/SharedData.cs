namespace Granary.Testing;

/// <summary>Public data too big for the clone; it lies in <c>shared/</c> beside it.</summary>
public static class SharedData
{
    /// <summary>Finds a file or folder there, such as <c>data/qa/xquad.en.json</c>; null where it is absent.</summary>
    public static string? Find(string relative)
    {
        var path = Path.GetFullPath(Path.Combine(Repository.Root, "..", "shared", relative));
        return Path.Exists(path) ? path : null;
    }
}
