using System.Reflection;

namespace Granary.House.Tests;

/// <summary>What the build knew and the tests need.</summary>
internal static class BuildFacts
{
    internal static string NuGetPackageRoot { get; } = Get("NuGetPackageRoot");

    internal static string ShippedLibrary { get; } = Path.Combine(NuGetPackageRoot, "torchsharp/0.107.0/runtimes/linux-x64/native/libLibTorchSharp.so");

    private static string Get(string key) =>
        typeof(BuildFacts).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(fact => fact.Key == key).Value
        ?? throw new InvalidOperationException($"The build gave no {key}.");
}
