using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;

namespace Granary.Cli.Silos;

/// <summary><c>granary cluster status</c>.</summary>
internal static class StatusVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        return verbs.Verb("status", "Lists the active silos: what each is, serves and holds.", RunAsync);

        static async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            NamedCluster.Require(invocation);
            await using var session = await invocation.OpenAsync(null, cancellationToken);
            var silos = (await session.Client.Cluster.ListSilosAsync(cancellationToken)).Select(SiloDocument.Of).ToList();
            invocation.WriteResult(silos, terminal => Show(terminal, silos));
            return 0;
        }
    }

    private static void Show(ITerminal terminal, List<SiloDocument> silos) =>
        ResultTable.Write(terminal, ["silo", "address", "state", "role", "models", ">contexts", ">streams", ">waiting", ">prefilled", ">resident", ">free", ">budget"], silos.Select(silo => new[]
        {
            silo.Silo,
            silo.Address,
            silo.State,
            silo.Role,
            string.Join(", ", silo.Models.Select(static model => model.Exact ? model.Model : $"{model.Model} (inexact)")),
            $"{silo.Contexts}",
            $"{silo.Streams}",
            $"{silo.Waiting}",
            $"{silo.PrefilledTokens}",
            ByteSizes.Show(silo.ResidentBytes),
            ByteSizes.Show(silo.FreeBytes),
            ByteSizes.Show(silo.BudgetBytes),
        }));
}
