using System.CommandLine;
using System.Text;
using Granary.Naming;

namespace Granary.Cli.Datasets;

/// <summary><c>granary dataset</c>.</summary>
internal static class DatasetVerbs
{
    private const int LongestName = 64; // leaves as much for the items' ids

    /// <summary>Makes the command.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => new("dataset", "Data sets: many contexts with their questions.")
    {
        EstimateVerb.Create(verbs),
        PrecomputeVerb.Create(verbs),
        StatusVerb.Create(verbs),
        DatasetAskVerb.Create(verbs),
    };

    /// <summary>Makes the argument that names a data set.</summary>
    /// <returns>The argument.</returns>
    public static Argument<string> Name() => new("NAME") { Description = "The data set's name." };

    /// <summary>Gets the name of a file's data set.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The name that was given, if one was.</param>
    /// <returns>The name.</returns>
    /// <exception cref="Granary.Errors.GranaryException"><c>InvalidName</c>: it cannot be one; give another by <c>--name</c>.</exception>
    public static string NameOf(string path, string? name) => Names.Check("data set", name ?? OfFile(path));

    private static string OfFile(string path)
    {
        var name = new StringBuilder();
        foreach (var rune in Path.GetFileNameWithoutExtension(path).EnumerateRunes().Take(LongestName))
        {
            name.Append(rune.IsAscii && (Rune.IsLetterOrDigit(rune) || rune.Value is '.' or '_' or '-') ? (char)rune.Value : '-');
        }

        return name.ToString().TrimStart('.');
    }
}
