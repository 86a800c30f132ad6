namespace Granary.Silos;

/// <summary>Tells of the cluster's silos, and drains them. Key: <see cref="Key"/>. It keeps no state.</summary>
[Alias("granary.IClusterGrain")]
public interface IClusterGrain : IGrainWithStringKey
{
    /// <summary>The one key.</summary>
    const string Key = "cluster";

    /// <summary>Lists the active silos.</summary>
    /// <returns>One element a silo, ordered by name.</returns>
    [Alias("ListSilos")]
    Task<SiloDescription[]> ListSilosAsync();

    /// <summary>Begins to drain a silo, which stops when it is drained. Repeating it changes nothing.</summary>
    /// <param name="silo">Its name, or its address.</param>
    /// <returns>The silo as it is now.</returns>
    /// <exception cref="Errors.GranaryException"><c>SiloNotFound</c>: the message lists the silos. <c>InvalidArgument</c>: several bear the name; give an address.</exception>
    [Alias("DrainSilo")]
    Task<SiloDescription> DrainSiloAsync(string silo);
}
