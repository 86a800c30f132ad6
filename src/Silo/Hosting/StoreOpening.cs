using Granary.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Silo.Hosting;

/// <summary>Opens the store that the settings name.</summary>
internal static class StoreOpening
{
    /// <summary>Opens a store.</summary>
    /// <exception cref="GranaryException">The store cannot be used.</exception>
    public static IObjectStore Open(string location)
    {
        try
        {
            return ObjectStores.Open(location, TimeProvider.System);
        }
        catch (StorageException e)
        {
            throw new GranaryException(e.Code, e.Message, e.Remedy);
        }
    }
}
