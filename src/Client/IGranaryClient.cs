using Granary.Contexts;
using Granary.Errors;
using Granary.Models;

namespace Granary.Client;

/// <summary>Granary, as other services use it: contexts whose KV caches are computed once and asked many times.</summary>
/// <remarks>
/// <para>Safe for concurrent use. Errors are <see cref="GranaryException"/> with a code and a remedy, or, where the token was cancelled, <see cref="OperationCanceledException"/>. Streams start when they
/// are enumerated, and throw then; what a request alone tells (a name, an input that is empty or too large) the call itself throws.</para>
/// <para>Members name the codes that are their own. Any call, on whatever this client gives, may also end in:</para>
/// <list type="bullet">
/// <item><description><see cref="ErrorCodes.Unavailable"/>: the cluster did not answer for <see cref="GranaryClientOptions.RetryFor"/>, or a silo died. Check that one runs, then try again; what was to change may have changed.</description></item>
/// <item><description><see cref="ErrorCodes.NoWorker"/>: no silo serves the model, or hosts what is called. Start one that does, or wait until it is ready.</description></item>
/// <item><description><see cref="ErrorCodes.StoreUnavailable"/>: the store is needed and does not answer. Check the network, and whether it runs, then try again.</description></item>
/// <item><description><see cref="ErrorCodes.ManifestInvalid"/>: a stored document is needed and cannot be trusted. Restore it, or do what the remedy says.</description></item>
/// <item><description><see cref="ErrorCodes.StoreFull"/>, <see cref="ErrorCodes.StoreReadOnly"/>: something was to be written. Free space; let the silos write.</description></item>
/// </list>
/// </remarks>
public interface IGranaryClient
{
    /// <summary>Names a context; nothing is looked up yet.</summary>
    /// <param name="model">The model id.</param>
    /// <param name="name">The context's name.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <returns>The context.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: use a name that follows the pattern in the message. <see cref="ErrorCodes.NoWorker"/>: all silos are fronts; start one whose settings name the model.</exception>
    IGranaryContext Context(string model, string name, string? tenant = null);

    /// <summary>Lists stored contexts, ordered by model and name.</summary>
    /// <param name="model">Only this model's; <see langword="null"/> for all.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <returns>One element a context.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidName"/>: use names that follow the pattern in the message.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model = null, string? tenant = null, CancellationToken cancellationToken = default);

    /// <summary>Lists some stored contexts, ordered by model and name.</summary>
    /// <param name="request">Which, how many, and from where.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>A page, and where the next one starts.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidName"/>: use names that follow the pattern in the message.
    /// <see cref="ErrorCodes.InvalidArgument"/>: give a limit of 1 to <see cref="ContextListRequest.MaxLimit"/>, at most 256 labels, and what the page before said.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<ContextPage> ListContextsPageAsync(ContextListRequest request, string? tenant = null, CancellationToken cancellationToken = default);

    /// <summary>Answers a prompt over a context that is not stored.</summary>
    /// <param name="model">The model id.</param>
    /// <param name="request">Context and prompt.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Stops at the next step.</param>
    /// <returns>Tokens; the last element has the answer.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidName"/>: use names that follow the pattern in the message.
    /// <see cref="ErrorCodes.EmptyInput"/>, <see cref="ErrorCodes.RequestTooLarge"/>: give a context and a prompt of at least one token, and at most 4 MiB each.
    /// <see cref="ErrorCodes.TokenOutOfVocabulary"/>: use ids of the model's vocabulary, as stop ids too. <see cref="ErrorCodes.TokenizerMissing"/>: the model has no tokenizer; give ids, and no stop strings.
    /// <see cref="ErrorCodes.InvalidArgument"/>: an input has text and ids, or an option is out of its range; correct it.
    /// <see cref="ErrorCodes.ContextWindowExceeded"/>: shorten context or prompt, or ask for fewer new tokens.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it needs more memory than the silo or the tenant may have; ask for less, unpin a context, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.NonFiniteLogits"/>: the model produced NaN or infinity; check its checkpoint, or serve it in another dtype.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<AnswerPart> GenerateAsync(string model, GenerateRequest request, string? tenant = null, CancellationToken cancellationToken = default);

    /// <summary>Names a data set; nothing is looked up yet.</summary>
    /// <param name="name">The data set's name.</param>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <returns>The data set.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: use a name that follows the pattern in the message. <see cref="ErrorCodes.NoWorker"/>: all silos are workers; start one whose role is front or both.</exception>
    IGranaryDataset Dataset(string name, string? tenant = null);

    /// <summary>Gets the silos behind this client.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.NoWorker"/>: all of them are workers; start one whose role is front or both.</exception>
    IGranaryCluster Cluster { get; }

    /// <summary>Names a tenant's store; nothing is looked up yet.</summary>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <returns>The store.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: use a name that follows the pattern in the message. <see cref="ErrorCodes.NoWorker"/>: all silos are workers; start one whose role is front or both.</exception>
    IGranaryStore Store(string? tenant = null);

    /// <summary>Lists the models that the store knows.</summary>
    /// <param name="tenant">The tenant; <see langword="null"/> for <c>default</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The models, ordered by id.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidName"/>: use names that follow the pattern in the message.
    /// <see cref="ErrorCodes.ModelSpecConflict"/>: a model's record in the store is damaged; restore or delete it.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<IReadOnlyList<ModelDescription>> ListModelsAsync(string? tenant = null, CancellationToken cancellationToken = default);
}
