using Granary.Errors;
using Granary.Silo.Hosting;
using Granary.Storage.Errors;
using Granary.Storage.Export;

namespace Granary.Silo;

/// <summary>What can be done with stored contexts without a silo: bytes for people go from the store to them, and through no grain call (invariant 5).</summary>
public static class StoredContexts
{
    /// <summary>Writes a context as one safetensors file in Hugging Face's layout.</summary>
    /// <param name="store">A folder, an Azure connection string or an account's URL.</param>
    /// <param name="tenant">The tenant.</param>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="path">The file.</param>
    /// <param name="progress">Told the tokens that are written, and all.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>What was written.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>, <see cref="ErrorCodes.FileNotFound"/> (its KV is not in the store, or cannot be trusted), and what the store says: see the message.
    /// </exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<ExportedContext> ExportAsync(
        string store, string tenant, string model, string name, string path, Action<int, int> progress, CancellationToken cancellationToken)
    {
        try
        {
            return await new ContextExporter(StoreOpening.Open(store), TimeProvider.System).ExportAsync(tenant, model, name, path, progress, cancellationToken);
        }
        catch (StorageException e)
        {
            throw new GranaryException(e.Code, e.Message, e.Remedy);
        }
    }
}
