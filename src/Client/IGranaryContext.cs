using Granary.Contexts;
using Granary.Errors;

namespace Granary.Client;

/// <summary>One context: a stored token sequence and its KV cache.</summary>
/// <remarks>Streams throw while they are enumerated, and what the input alone tells at the call. What cannot be trusted of a context (<see cref="ErrorCodes.ManifestInvalid"/>) can be deleted and created again.</remarks>
public interface IGranaryContext
{
    /// <summary>Gets the context's full name.</summary>
    ContextId Id { get; }

    /// <summary>Creates the context, or joins its creation, or finds it.</summary>
    /// <param name="request">What it consists of.</param>
    /// <param name="cancellationToken">Leaves the stream; an accepted creation goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextConflict"/>: the name has other token ids, or other weights; choose another one, or delete the context first.
    /// <see cref="ErrorCodes.ContextNotFound"/>: it was deleted while it was created, or since this very request was sent first; create it again.
    /// <see cref="ErrorCodes.ContextWindowExceeded"/>: shorten it, or set <see cref="CreateContextRequest.TruncateLeft"/>.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it takes more memory, or more of the store, than the silo or the tenant may have; shorten it, unpin contexts, delete some and sweep, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.EmptyInput"/>, <see cref="ErrorCodes.RequestTooLarge"/>: give at least one token, and at most 4 MiB.
    /// <see cref="ErrorCodes.TokenOutOfVocabulary"/>: use ids of the model's vocabulary. <see cref="ErrorCodes.TokenizerMissing"/>: the model has no tokenizer and reads no text; give ids.
    /// <see cref="ErrorCodes.InvalidArgument"/>: the input has text and ids, or reserve, time to live, a label or the operation id cannot be one; correct it.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken = default);

    /// <summary>Creates the context from another one of its tenant and model, on the same chunks, or finds it.</summary>
    /// <param name="request">Which one.</param>
    /// <param name="cancellationToken">Leaves the stream; an accepted creation goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: there is no parent, so create it first; or the fork was deleted while it was made, so fork again.
    /// <see cref="ErrorCodes.ContextConflict"/>: the name has other token ids, so choose another one; the parent is at another version than <see cref="ForkRequest.IfVersion"/>, so read it again; or it was made with other weights, so create the context anew.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it takes more memory, or more of the store, than the silo or the tenant may have; fork a shorter one, unpin contexts, delete some and sweep, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.InvalidName"/>: the parent's; use one that follows the pattern.
    /// <see cref="ErrorCodes.InvalidArgument"/>: the parent is the context itself, or time to live, a label or the operation id cannot be one; correct it.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken = default);

    /// <summary>Puts tokens behind the context's own: its next version. Asks that run end on the version that they began with.</summary>
    /// <param name="request">What is added.</param>
    /// <param name="cancellationToken">Cancels, up to the commit.</param>
    /// <returns>Progress; the last element has the result.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.ContextConflict"/>: it is at another version than <see cref="AppendRequest.IfVersion"/>, or was deleted and made anew; read it again and decide anew.
    /// <see cref="ErrorCodes.ContextWindowExceeded"/>: append less, or go on in a new context.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it would take more memory, or more of the store, than the silo or the tenant may have; append less, unpin contexts, delete some and sweep, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.EmptyInput"/>, <see cref="ErrorCodes.RequestTooLarge"/>: give at least one token, and at most 4 MiB.
    /// <see cref="ErrorCodes.TokenOutOfVocabulary"/>: use ids of the model's vocabulary. <see cref="ErrorCodes.TokenizerMissing"/>: the model has no tokenizer and reads no text; give ids.
    /// <see cref="ErrorCodes.InvalidArgument"/>: the input has text and ids; or the operation id is too long, or that of an addition of other ids, so draw a new one.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken = default);

    /// <summary>Describes the context.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>Its description.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<ContextDescription> GetAsync(CancellationToken cancellationToken = default);

    /// <summary>Answers a prompt.</summary>
    /// <param name="request">The prompt.</param>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>Tokens; the last element has the answer.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.ContextConflict"/>: it is at another version than <see cref="AskRequest.IfVersion"/>, was deleted or made anew meanwhile, or grew before the answer was kept (<see cref="AskRequest.Keep"/>); ask again.
    /// <see cref="ErrorCodes.ContextWindowExceeded"/>: shorten the prompt, or ask for fewer new tokens.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it needs more memory than the silo or the tenant may have, or, to be kept, more of the store; ask for fewer tokens, or fewer contexts at once, unpin a context, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.NonFiniteLogits"/>: the model produced NaN or infinity; check its checkpoint, or serve it in another dtype.
    /// <see cref="ErrorCodes.EmptyInput"/>, <see cref="ErrorCodes.RequestTooLarge"/>: give a prompt of at least one token, and at most 4 MiB.
    /// <see cref="ErrorCodes.TokenOutOfVocabulary"/>: use ids of the model's vocabulary, as stop ids too. <see cref="ErrorCodes.TokenizerMissing"/>: the model has no tokenizer; give ids, and no stop strings.
    /// <see cref="ErrorCodes.InvalidArgument"/>: the prompt has text and ids, or an option or the operation id cannot be one; correct it.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken = default);

    /// <summary>Gives the log-probabilities of continuations, each after the context alone.</summary>
    /// <param name="request">The continuations.</param>
    /// <param name="cancellationToken">Cancels at the next step.</param>
    /// <returns>One result for each, in their order: one natural log-probability a token.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.ContextConflict"/>: it was deleted or made anew meanwhile; ask again.
    /// <see cref="ErrorCodes.ContextWindowExceeded"/>: shorten the continuations.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it needs more memory than the silo or the tenant may have; give fewer or shorter ones, unpin a context, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.NonFiniteLogits"/>: the model produced NaN or infinity; check its checkpoint, or serve it in another dtype.
    /// <see cref="ErrorCodes.EmptyInput"/>, <see cref="ErrorCodes.RequestTooLarge"/>: give at least one token each, and at most 4 MiB together.
    /// <see cref="ErrorCodes.TokenOutOfVocabulary"/>: use ids of the model's vocabulary. <see cref="ErrorCodes.TokenizerMissing"/>: the model has no tokenizer and reads no text; give ids.
    /// <see cref="ErrorCodes.InvalidArgument"/>: give 1 to 64 continuations, each as text or as ids.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<IReadOnlyList<ScoreResult>> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken = default);

    /// <summary>Changes expiry, pin or labels. The version stays what it is.</summary>
    /// <param name="request">What is changed.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The context as it is then.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.ContextConflict"/>: it is at another version than <see cref="UpdateContextRequest.IfVersion"/>, or was deleted and made anew; read it again and decide anew.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: pinned contexts would keep more than their share; unpin one, or raise what the remedy names.
    /// <see cref="ErrorCodes.InvalidArgument"/>: nothing is to be changed, or an expiry, a pin, a label or the operation id cannot be one; correct it.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<ContextDescription> UpdateAsync(UpdateContextRequest request, CancellationToken cancellationToken = default);

    /// <summary>Makes the context resident, and answers nothing.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Leaves; what others wait for goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.ContextConflict"/>: it was deleted or made anew meanwhile; warm it again.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it needs more memory than the silo or the tenant may have; warm fewer at once, unpin a context, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.InvalidArgument"/>: what <see cref="PlanChoice.Recompute"/> computes is not kept; choose another plan.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken = default);

    /// <summary>Compares what is stored, whatever is resident, with a fresh prefill of the token ids. Nothing is changed.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Progress; the last element has the report.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.KvBudgetExceeded"/>: it needs twice the context's memory; unpin a context, or raise the budget that the remedy names.
    /// <see cref="ErrorCodes.QueueFull"/>: the engine has too much to do; try again later.
    /// <see cref="ErrorCodes.NonFiniteLogits"/>: the model produced NaN or infinity; check its checkpoint, or serve it in another dtype.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken = default);

    /// <summary>Frees the context's device memory as soon as nobody reads it. Nothing stored is touched.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Whether it was resident.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: create it first.
    /// <see cref="ErrorCodes.InvalidArgument"/>: it is pinned; unpin it first.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<bool> EvictAsync(CancellationToken cancellationToken = default);

    /// <summary>Deletes the context.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>A task that ends when the deletion is durable.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.ContextNotFound"/>: there is none to delete.
    /// Or what any call may give (<see cref="IGranaryClient"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task DeleteAsync(CancellationToken cancellationToken = default);
}
