namespace Granary.Datasets;

/// <summary>One shard of a data set: at most <see cref="DatasetId.ShardItems"/> items. Key: <see cref="DatasetId.ShardKey"/>.</summary>
[Alias("granary.IDatasetShardGrain")]
public interface IDatasetShardGrain : IGrainWithStringKey
{
    /// <summary>Computes and stores the shard's items, or joins the run that does.</summary>
    /// <param name="request">The run.</param>
    /// <param name="cancellationToken">Leaves the stream; the run goes on.</param>
    /// <returns>The shard's status, as it changes.</returns>
    [Alias("Precompute")]
    IAsyncEnumerable<DatasetStatus> PrecomputeAsync(ShardRequest request, CancellationToken cancellationToken = default);

    /// <summary>Counts the shard's questions.</summary>
    /// <param name="digest">The data set's digest.</param>
    /// <returns>How many.</returns>
    [Alias("CountQuestions")]
    Task<int> CountQuestionsAsync(string digest);

    /// <summary>Asks the shard's questions, in order.</summary>
    /// <param name="model">The model id.</param>
    /// <param name="digest">The data set's digest.</param>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>One element a question.</returns>
    [Alias("Ask")]
    IAsyncEnumerable<DatasetAnswer> AskAsync(string model, string digest, DatasetAskRequest request, CancellationToken cancellationToken = default);
}
