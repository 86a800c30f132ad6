using System.Collections.Concurrent;

namespace Granary.Grains.Residency;

/// <summary>Which contexts of this silo have a lease, for listings.</summary>
internal sealed class ResidentContexts
{
    private readonly ConcurrentDictionary<string, ContextLease> _leases = [];

    /// <summary>Gets how many contexts have all their pages in memory.</summary>
    public int Count => _leases.Values.Count(static lease => lease.IsResident);

    /// <summary>Notes a context's newest lease.</summary>
    public void Note(string context, ContextLease lease) => _leases[context] = lease;

    /// <summary>Forgets a context whose activation ends.</summary>
    public void Forget(string context) => _leases.TryRemove(context, out _);

    /// <summary>Lists the contexts whose pages are all in memory.</summary>
    public string[] List() => [.. _leases.Where(static entry => entry.Value.IsResident).Select(static entry => entry.Key)];
}
