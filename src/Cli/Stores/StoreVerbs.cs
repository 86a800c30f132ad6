using System.CommandLine;

namespace Granary.Cli.Stores;

/// <summary><c>granary store</c>.</summary>
internal static class StoreVerbs
{
    /// <summary>Makes the command.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => new("store", "The store: what lies there, whether it can be trusted, and what can go.")
    {
        UsageVerb.Create(verbs),
        CheckVerb.Create(verbs),
        CollectVerb.Create(verbs),
    };
}
