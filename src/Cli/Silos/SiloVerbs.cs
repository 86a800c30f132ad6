using System.CommandLine;

namespace Granary.Cli.Silos;

/// <summary><c>granary silo</c> and <c>granary cluster</c>.</summary>
internal static class SiloVerbs
{
    /// <summary>Makes the command about one silo.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command CreateSilo(VerbHost verbs) => new("silo", "One silo of a cluster.") { DrainVerb.Create(verbs) };

    /// <summary>Makes the command about all of them.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command CreateCluster(VerbHost verbs) => new("cluster", "The silos of a cluster.") { StatusVerb.Create(verbs) };
}
