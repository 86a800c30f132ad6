using Granary.Errors;

namespace Granary.Naming;

/// <summary>Names grains of a cluster whose silos may not host all kinds.</summary>
public static class GrainLookup
{
    private const string Unknown = "Could not find an implementation for interface";

    /// <summary>Names a grain.</summary>
    /// <typeparam name="T">Its interface.</typeparam>
    /// <param name="grains">The cluster's grains.</param>
    /// <param name="key">The grain's key.</param>
    /// <returns>The grain.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.NoWorker"/>: no silo hosts this kind; start one whose role is to.</exception>
    public static T Find<T>(this IGrainFactory grains, string key)
        where T : IGrainWithStringKey
    {
        try
        {
            return grains.GetGrain<T>(key);
        }
        catch (ArgumentException e) when (e.Message.StartsWith(Unknown, StringComparison.Ordinal))
        {
            throw NoHostOf(typeof(T).Name, e);
        }
    }

    /// <summary>Gets the error of a kind of grain that no silo hosts.</summary>
    /// <param name="kind">A text that has the name of the grain's interface.</param>
    /// <param name="cause">What was thrown.</param>
    /// <returns>The error.</returns>
    public static GranaryException NoHostOf(string kind, Exception cause) => kind.Contains("IContextGrain", StringComparison.Ordinal) || kind.Contains("IEstimateGrain", StringComparison.Ordinal)
        ? new GranaryException(ErrorCodes.NoWorker, "No active silo serves a model: all are fronts.", "Start a silo whose settings name the model (Granary:Models), or wait until it is ready.", cause)
        : new GranaryException(ErrorCodes.NoWorker, "No active silo looks after data sets, listings, sweeps and the cluster: all are workers.", "Start a silo with Granary:Silo:Role front or both.", cause);
}
