using System.CommandLine;

namespace Granary.Cli.Datasets;

/// <summary><c>granary dataset</c>.</summary>
internal static class DatasetVerbs
{
    /// <summary>Makes the command.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => new("dataset", "Data sets: many contexts with their questions.")
    {
        PrecomputeVerb.Create(verbs),
        StatusVerb.Create(verbs),
        DatasetAskVerb.Create(verbs),
    };

    /// <summary>Makes the argument that names a data set.</summary>
    /// <returns>The argument.</returns>
    public static Argument<string> Name() => new("NAME") { Description = "The data set's name." };
}
