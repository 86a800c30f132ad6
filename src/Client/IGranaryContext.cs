using Granary.Contexts;

namespace Granary.Client;

/// <summary>One context: a stored token sequence and its KV cache.</summary>
public interface IGranaryContext
{
    /// <summary>Gets the context's full name.</summary>
    ContextId Id { get; }

    /// <summary>Creates the context, or joins its creation, or finds it.</summary>
    /// <param name="request">What it consists of.</param>
    /// <param name="cancellationToken">Leaves the stream; an accepted creation goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken = default);

    /// <summary>Creates the context from another one of its tenant and model, on the same chunks, or finds it.</summary>
    /// <param name="request">Which one.</param>
    /// <param name="cancellationToken">Leaves the stream; an accepted creation goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken = default);

    /// <summary>Puts tokens behind the context's own: its next version. Asks that run end on the version that they began with.</summary>
    /// <param name="request">What is added.</param>
    /// <param name="cancellationToken">Cancels, up to the commit.</param>
    /// <returns>Progress; the last element has the result.</returns>
    IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken = default);

    /// <summary>Describes the context.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>Its description.</returns>
    Task<ContextDescription> GetAsync(CancellationToken cancellationToken = default);

    /// <summary>Answers a prompt.</summary>
    /// <param name="request">The prompt.</param>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>Tokens; the last element has the answer.</returns>
    IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken = default);

    /// <summary>Gives the log-probabilities of continuations, each after the context alone.</summary>
    /// <param name="request">The continuations.</param>
    /// <param name="cancellationToken">Cancels at the next step.</param>
    /// <returns>One result for each, in their order: one natural log-probability a token.</returns>
    Task<IReadOnlyList<ScoreResult>> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken = default);

    /// <summary>Changes expiry, pin or labels. The version stays what it is.</summary>
    /// <param name="request">What is changed.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The context as it is then.</returns>
    Task<ContextDescription> UpdateAsync(UpdateContextRequest request, CancellationToken cancellationToken = default);

    /// <summary>Makes the context resident, and answers nothing.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Leaves; what others wait for goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken = default);

    /// <summary>Compares what is stored, whatever is resident, with a fresh prefill of the token ids. Nothing is changed.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Progress; the last element has the report.</returns>
    IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken = default);

    /// <summary>Frees the context's device memory as soon as nobody reads it. Nothing stored is touched. A pinned context is refused (<c>InvalidArgument</c>): unpin it first.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Whether it was resident.</returns>
    Task<bool> EvictAsync(CancellationToken cancellationToken = default);

    /// <summary>Deletes the context.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>A task that ends when the deletion is durable.</returns>
    Task DeleteAsync(CancellationToken cancellationToken = default);
}
