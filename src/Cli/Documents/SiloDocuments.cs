using Granary.Silos;

namespace Granary.Cli.Documents;

/// <summary>A silo, as <c>cluster status</c> prints it.</summary>
internal sealed record SiloDocument(
    string Silo, string Address, string State, string Role, IReadOnlyList<SiloModel> Models, long BudgetBytes, long ResidentBytes, long FreeBytes, int Contexts, int Streams, long PrefilledTokens, int Leases, int Waiting, int Queued)
{
    /// <summary>Makes the document of a silo.</summary>
    /// <param name="silo">The silo.</param>
    /// <returns>The document.</returns>
    public static SiloDocument Of(SiloDescription silo) => new(
        silo.Silo, silo.Address, silo.State, silo.Role, silo.Models, silo.BudgetBytes, silo.ResidentBytes, silo.BudgetBytes - silo.ResidentBytes, silo.Contexts, silo.Streams, silo.PrefilledTokens, silo.Leases, silo.Waiting, silo.Queued);
}

/// <summary>What <c>silo drain</c> prints: the streams and contexts are those that it began with.</summary>
internal sealed record DrainDocument(string Silo, string State, int Streams, int Contexts, double Seconds);
