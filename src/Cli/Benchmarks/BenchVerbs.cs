using System.CommandLine;

namespace Granary.Cli.Benchmarks;

/// <summary><c>granary bench</c>.</summary>
internal static class BenchVerbs
{
    /// <summary>Makes the command.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <param name="bundleFolder">Where the bundled data set is.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs, string bundleFolder) => new("bench", "Times what this machine makes of a model. Times are reported, never asserted.")
    {
        BenchEngineVerb.Create(verbs),
        BenchStoreVerb.Create(verbs, bundleFolder),
    };
}
