using Granary.Client;

namespace Granary.Cli.Sessions;

/// <summary>An open connection: to a cluster, or to the silo in this process.</summary>
internal interface IGranarySession : IAsyncDisposable
{
    /// <summary>Gets the client.</summary>
    IGranaryClient Client { get; }

    /// <summary>Makes a model available: an embedded silo loads it, a cluster has its own.</summary>
    /// <param name="modelId">Its id.</param>
    /// <param name="folder">The checkpoint folder.</param>
    /// <param name="dtype">What is computed in.</param>
    /// <param name="codec">How its KV is stored, and held.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <returns>A task that ends when the model answers.</returns>
    Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken);
}
