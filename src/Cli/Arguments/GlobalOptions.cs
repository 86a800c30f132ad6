using System.CommandLine;

namespace Granary.Cli.Arguments;

/// <summary>The options that every verb has.</summary>
internal sealed class GlobalOptions
{
    /// <summary>Gets <c>--store</c>.</summary>
    public Option<string?> Store { get; } = new("--store")
    {
        Description = "Store: a folder, an Azure connection string or an account's URL. Default: Granary:Store, else ~/.granary.",
        Recursive = true,
    };

    /// <summary>Gets <c>--cluster</c>.</summary>
    public Option<string?> Cluster { get; } = new("--cluster")
    {
        Description = "Cluster: redis://HOST:PORT[/SERVICE] or localhost:GATEWAY_PORT. Default: Granary:Cluster, else a silo in this process.",
        Recursive = true,
    };

    /// <summary>Gets <c>--tenant</c>.</summary>
    public Option<string?> Tenant { get; } = new("--tenant") { Description = "Tenant. Default: default.", Recursive = true };

    /// <summary>Gets <c>--json</c>.</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "One compact JSON document a line on standard output, errors as JSON on standard error.", Recursive = true };

    /// <summary>Gets <c>-v</c>.</summary>
    public Option<bool> Verbose { get; } = new("--verbose", "-v") { Description = "More logs, and stack traces of errors, on standard error.", Recursive = true };

    /// <summary>Adds them to the root.</summary>
    /// <param name="root">The root command.</param>
    public void AddTo(Command root)
    {
        root.Options.Add(Store);
        root.Options.Add(Cluster);
        root.Options.Add(Tenant);
        root.Options.Add(Json);
        root.Options.Add(Verbose);
    }
}
