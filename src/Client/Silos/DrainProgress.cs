using Granary.Silos;

namespace Granary.Client.Silos;

/// <summary>How far a silo is drained.</summary>
/// <param name="Silo">Its name.</param>
/// <param name="State">Its state, one of <see cref="SiloStates"/>.</param>
/// <param name="Contexts">The contexts that still have their grain there.</param>
/// <param name="Streams">The streams that are still open there.</param>
/// <param name="Elapsed">The time since the drain was asked for.</param>
public sealed record DrainProgress(string Silo, string State, int Contexts, int Streams, TimeSpan Elapsed);
