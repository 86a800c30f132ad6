using Granary.Client.Calls;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Client.Contexts;

/// <summary>A context, behind its grain.</summary>
internal sealed class GranaryContext(IGrainFactory grains, GrainCalls calls, ContextId id) : IGranaryContext
{
    private readonly IContextGrain _grain = grains.GetGrain<IContextGrain>(id.ToString());

    /// <inheritdoc/>
    public ContextId Id => id;

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("context", request.Input);
        return GrainCalls.StreamAsync(token => _grain.CreateAsync(request, token), cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("addition", request.Input);
        return GrainCalls.StreamAsync(token => _grain.AppendAsync(request, token), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ContextDescription> GetAsync(CancellationToken cancellationToken) => calls.ReadAsync(_grain.GetAsync, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("prompt", request.Prompt);
        return GrainCalls.StreamAsync(token => _grain.AskAsync(request, token), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ScoreResult>> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("continuation", request.Continuations);
        var results = new List<ScoreResult>(request.Continuations.Length);
        await foreach (var result in GrainCalls.StreamAsync(token => _grain.ScoreAsync(request, token), cancellationToken).ConfigureAwait(false))
        {
            results.Add(result);
        }

        return results.Count == request.Continuations.Length
            ? results
            : throw new GranaryException(ErrorCodes.Unavailable, $"Scoring over '{id}' ended with {results.Count} of {request.Continuations.Length} results.", "Try again.");
    }

    /// <inheritdoc/>
    public Task<bool> EvictAsync(CancellationToken cancellationToken) => GrainCalls.OnceAsync(_grain.EvictAsync, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteAsync(CancellationToken cancellationToken) => GrainCalls.OnceAsync(
        async () =>
        {
            await _grain.DeleteAsync().ConfigureAwait(false);
            return true;
        },
        cancellationToken);
}
