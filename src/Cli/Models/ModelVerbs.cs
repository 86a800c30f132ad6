using System.CommandLine;

namespace Granary.Cli.Models;

/// <summary><c>granary model</c>.</summary>
internal static class ModelVerbs
{
    /// <summary>Makes the command.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => new("model", "Models: checkpoint folders, and what is known of them.")
    {
        ModelListVerb.Create(verbs),
        ModelInfoVerb.Create(verbs),
        ModelVerifyVerb.Create(verbs),
        ModelForwardVerb.Create(verbs),
        ModelCreateVerb.Create(verbs),
    };
}
