using Granary.Client.Datasets;
using Granary.Datasets;

namespace Granary.Client;

/// <summary>One data set: many contexts with their questions.</summary>
public interface IGranaryDataset
{
    /// <summary>Gets the data set's full name.</summary>
    DatasetId Id { get; }

    /// <summary>Brings the items that are missing into the store, then computes and stores the KV cache of each, or joins the run that does.</summary>
    /// <param name="source">The items.</param>
    /// <param name="model">The model id.</param>
    /// <param name="modelFolder">The checkpoint folder, recorded for a later command that embeds a silo; <see langword="null"/> for none.</param>
    /// <param name="cancellationToken">Leaves the stream; a started run goes on.</param>
    /// <returns>Progress; the last element has <see cref="DatasetStatus.Ended"/>.</returns>
    IAsyncEnumerable<DatasetStatus> PrecomputeAsync(DatasetSource source, string model, string? modelFolder = null, CancellationToken cancellationToken = default);

    /// <summary>Tells what precomputing would take, and changes nothing: pages that items share, or that the store has, are not counted twice, or not at all.</summary>
    /// <param name="source">The items.</param>
    /// <param name="model">The model id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Progress; the last element has all items.</returns>
    IAsyncEnumerable<DatasetEstimate> EstimateAsync(DatasetSource source, string model, CancellationToken cancellationToken = default);

    /// <summary>Gets the last run's status.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The status.</returns>
    Task<DatasetStatus> GetStatusAsync(CancellationToken cancellationToken = default);

    /// <summary>Asks every question, in the data set's order.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>One element a question.</returns>
    IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken = default);
}
