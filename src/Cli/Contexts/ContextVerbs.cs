using System.CommandLine;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context</c>.</summary>
internal static class ContextVerbs
{
    /// <summary>Makes the command.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => new("context", "Contexts: texts whose KV cache is computed once and kept.")
    {
        CreateVerb.Create(verbs),
        AppendVerb.Create(verbs),
        ForkVerb.Create(verbs),
        ListVerb.Create(verbs),
        ShowVerb.Create(verbs),
        AskVerb.Create(verbs),
        ScoreVerb.Create(verbs),
        WarmVerb.Create(verbs),
        EvictVerb.Create(verbs),
        PinVerb.Create(verbs),
        UnpinVerb.Create(verbs),
        ExpireVerb.Create(verbs),
        LabelVerb.Create(verbs),
        VerifyVerb.Create(verbs),
        ExportVerb.Create(verbs),
        DeleteVerb.Create(verbs),
    };

    /// <summary>Makes the argument that names a context.</summary>
    /// <returns>The argument.</returns>
    public static Argument<string> Name() => new("NAME") { Description = "The context's name: 1 to 128 of A-Z a-z 0-9 . _ -" };
}
