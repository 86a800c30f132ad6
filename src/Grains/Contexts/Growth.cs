namespace Granary.Grains.Contexts;

/// <summary>A context's next version that is to be.</summary>
/// <param name="Added">The ids that are put behind the context's own.</param>
/// <param name="IfVersion">The only version that may grow; <see langword="null"/> for the newest, whichever that is.</param>
/// <param name="Batch">Whether the computation yields to interactive work.</param>
/// <param name="OperationId">The id under which it counts once.</param>
internal sealed record Growth(int[] Added, long? IfVersion, bool Batch, string OperationId);
