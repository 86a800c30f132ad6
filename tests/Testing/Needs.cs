using Granary.Testing.Servers;
using Xunit;

namespace Granary.Testing;

/// <summary>Skips the running test, with the reason, where a part that it needs is missing.</summary>
/// <remarks><c>./dev test</c> fetches Azurite and Redis; under CI it fails on each skip whose reason does not start with <c>Needs=cuda</c>.</remarks>
public static class Needs
{
    public static void Azurite() => Assert.SkipWhen(AzuriteServer.FindExecutable() is null, Explain("azurite", "Azurite"));

    public static void Redis() => Assert.SkipWhen(RedisServer.FindExecutable() is null, Explain("redis", "redis-server"));

    public static void Python() => Assert.SkipUnless(
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(static folder => File.Exists(Path.Combine(folder, "python3"))),
        "Needs=python: python3 is not on the PATH (apt-get install python3).");

    public static void Cuda(bool isAvailable) => Assert.SkipUnless(isAvailable, "Needs=cuda: no CUDA device on this machine.");

    /// <summary>Gets the path of shared data, or skips.</summary>
    public static string Shared(string relative)
    {
        var path = SharedData.Find(relative);
        Assert.SkipWhen(path is null, $"Needs=shared: '../shared/{relative}' is not beside the clone.");
        return path ?? "";
    }

    internal static string Explain(string part, string name)
    {
        var file = Repository.GetPath($".tools/{part}.missing");
        return $"Needs={part}: {(File.Exists(file) ? File.ReadAllText(file).Trim() : $"{name} is not in .tools/. Run build/fetch-parts")}.";
    }
}
