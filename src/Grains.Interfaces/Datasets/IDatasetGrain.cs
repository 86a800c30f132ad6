namespace Granary.Datasets;

/// <summary>Coordinates a data set's precomputation and asking. Key: <c>{tenant}/{dataset}</c> (<see cref="DatasetId"/>).</summary>
[Alias("granary.IDatasetGrain")]
public interface IDatasetGrain : IGrainWithStringKey
{
    /// <summary>Tells whether the items of a content are in the store already.</summary>
    /// <param name="digest">The data set's digest.</param>
    /// <param name="shards">How many shards it has.</param>
    /// <returns>The shards that are missing.</returns>
    [Alias("FindMissingShards")]
    Task<int[]> FindMissingShardsAsync(string digest, int shards);

    /// <summary>Puts items into the store.</summary>
    /// <param name="request">The items.</param>
    /// <returns>A task that ends when they are durable.</returns>
    [Alias("PutItems")]
    Task PutItemsAsync(PutItemsRequest request);

    /// <summary>Computes and stores the KV cache of every item, or joins the run that does.</summary>
    /// <param name="request">The run.</param>
    /// <param name="cancellationToken">Leaves the stream; the run goes on.</param>
    /// <returns>Progress; the last element has <see cref="DatasetStatus.Ended"/>.</returns>
    [Alias("Precompute")]
    IAsyncEnumerable<DatasetStatus> PrecomputeAsync(PrecomputeRequest request, CancellationToken cancellationToken = default);

    /// <summary>Gets the last run's status.</summary>
    /// <returns>The status.</returns>
    [Alias("GetStatus")]
    Task<DatasetStatus> GetStatusAsync();

    /// <summary>Tells what the data set holds, for asks that go on later.</summary>
    /// <returns>Its content.</returns>
    /// <exception cref="Errors.GranaryException"><see cref="Errors.ErrorCodes.DatasetNotFound"/>: it was never precomputed.</exception>
    [Alias("GetContent")]
    Task<DatasetContent> GetContentAsync();

    /// <summary>Asks every question, in the data set's order.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>One element a question.</returns>
    [Alias("Ask")]
    IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken = default);
}
