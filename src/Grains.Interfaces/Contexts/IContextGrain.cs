namespace Granary.Contexts;

/// <summary>A context: stored token ids and their KV cache. Key: <c>{tenant}/{model}/{name}</c> (<see cref="ContextId"/>).</summary>
/// <remarks>
/// Long verbs are streams (invariant 8). Errors arrive as <see cref="Errors.GranaryException"/>. A name that starts with <c>~</c> belongs to
/// <see cref="GenerateAsync"/>: such a grain has no manifest.
/// </remarks>
[Alias("granary.IContextGrain")]
public interface IContextGrain : IGrainWithStringKey
{
    /// <summary>Creates the context, or joins its creation, or finds it.</summary>
    /// <param name="request">What it consists of.</param>
    /// <param name="cancellationToken">Leaves the stream; an accepted creation goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    [Alias("Create")]
    IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken = default);

    /// <summary>Creates the context from another one, or finds it.</summary>
    /// <param name="request">Which one.</param>
    /// <param name="cancellationToken">Leaves the stream; an accepted creation goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    [Alias("Fork")]
    IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken = default);

    /// <summary>Puts tokens behind the context's own: version n + 1. Asks that run end on version n; until the new one is durable, others start on it.</summary>
    /// <param name="request">What is added.</param>
    /// <param name="cancellationToken">Cancels, up to the commit.</param>
    /// <returns>Progress; the last element has the result.</returns>
    [Alias("Append")]
    IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken = default);

    /// <summary>Describes the context.</summary>
    /// <returns>Its description.</returns>
    [Alias("Get")]
    Task<ContextDescription> GetAsync();

    /// <summary>Answers a prompt.</summary>
    /// <param name="request">The prompt.</param>
    /// <param name="cancellationToken">Stops decoding at the next step.</param>
    /// <returns>Where it starts, its tokens, and last the answer.</returns>
    [Alias("Ask")]
    IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken = default);

    /// <summary>Gives the log-probabilities of continuations.</summary>
    /// <param name="request">The continuations.</param>
    /// <param name="cancellationToken">Cancels at the next step.</param>
    /// <returns>One element for each, in their order.</returns>
    [Alias("Score")]
    IAsyncEnumerable<ScoreResult> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken = default);

    /// <summary>Answers a prompt over a context that is not stored.</summary>
    /// <param name="request">Context and prompt.</param>
    /// <param name="cancellationToken">Stops at the next step.</param>
    /// <returns>Where it starts, its tokens, and last the answer.</returns>
    [Alias("Generate")]
    IAsyncEnumerable<AnswerPart> GenerateAsync(GenerateRequest request, CancellationToken cancellationToken = default);

    /// <summary>Changes expiry, pin or labels. The version stays: asks and leases are not disturbed.</summary>
    /// <param name="request">What is changed.</param>
    /// <returns>The context as it is now.</returns>
    [Alias("Update")]
    Task<ContextDescription> UpdateAsync(UpdateContextRequest request);

    /// <summary>Makes the context resident, and answers nothing.</summary>
    /// <param name="request">How.</param>
    /// <param name="cancellationToken">Leaves; what others wait for goes on.</param>
    /// <returns>Progress; the last element has the result.</returns>
    [Alias("Warm")]
    IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken = default);

    /// <summary>Compares what is stored, whatever is resident, with a fresh prefill of the token ids. Nothing is changed.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Progress; the last element has the report.</returns>
    [Alias("Verify")]
    IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken = default);

    /// <summary>Frees the context's device memory as soon as nobody reads it. Nothing stored is touched. A pinned context is refused.</summary>
    /// <returns>Whether it was resident.</returns>
    [Alias("Evict")]
    Task<bool> EvictAsync();

    /// <summary>Deletes the context by a tombstone.</summary>
    /// <param name="operationId">The id under which a deletion that is sent again counts once; <see langword="null"/> for none.</param>
    /// <returns>A task.</returns>
    [Alias("Delete")]
    Task DeleteAsync(string? operationId = null);
}
