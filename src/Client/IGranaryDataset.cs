using Granary.Client.Datasets;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Client;

/// <summary>One data set: many contexts with their questions.</summary>
/// <remarks>
/// Streams throw while they are enumerated, a model id that cannot be one at the call. An item or question that fails ends none: it is told with its code, in the status or as its answer. A run whose
/// stored state cannot be trusted (<see cref="ErrorCodes.ManifestInvalid"/>) is precomputed again once <see cref="IGranaryStore.CheckAsync"/> has repaired the store.
/// </remarks>
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
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidName"/>: use a model id that follows the pattern in the message.
    /// <see cref="ErrorCodes.ContextConflict"/>: it is being precomputed with other items, or another model; wait for that run, or name this data set otherwise.
    /// <see cref="ErrorCodes.DatasetInvalid"/>: stored items are damaged or not complete; run it again, which brings them anew.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<DatasetStatus> PrecomputeAsync(DatasetSource source, string model, string? modelFolder = null, CancellationToken cancellationToken = default);

    /// <summary>Tells what precomputing would take, and changes nothing: pages that items share, or that the store has, are not counted twice, or not at all.</summary>
    /// <param name="source">The items.</param>
    /// <param name="model">The model id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Progress; the last element has all items.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidName"/>: use a model id that follows the pattern in the message.
    /// <see cref="ErrorCodes.TokenizerMissing"/>: the model has no tokenizer and reads no text; put one into its folder.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<DatasetEstimate> EstimateAsync(DatasetSource source, string model, CancellationToken cancellationToken = default);

    /// <summary>Gets the last run's status.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The status.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.DatasetNotFound"/>: precompute it first.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<DatasetStatus> GetStatusAsync(CancellationToken cancellationToken = default);

    /// <summary>Asks every question, in the data set's order.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>One element a question.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.DatasetNotFound"/>: precompute it first.
    /// <see cref="ErrorCodes.ContextConflict"/>: it was precomputed with other items, or another model, than <see cref="DatasetAskRequest.Content"/> or this ask began with; ask again from the start.
    /// <see cref="ErrorCodes.DatasetInvalid"/>: stored items are damaged or not complete; precompute it again.
    /// <see cref="ErrorCodes.InvalidArgument"/>: leave out 0 questions or more.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken = default);
}
