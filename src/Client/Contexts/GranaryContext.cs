using Granary.Client.Calls;
using Granary.Contexts;
using Granary.Errors;
using Granary.Naming;

namespace Granary.Client.Contexts;

/// <summary>A context, behind its grain. Whatever changes it has an operation id, so that a call whose answer was lost can be sent again.</summary>
internal sealed class GranaryContext(IGrainFactory grains, GrainCalls calls, ContextId id) : IGranaryContext
{
    private readonly IContextGrain _grain = grains.Find<IContextGrain>(id.ToString());

    /// <inheritdoc/>
    public ContextId Id => id;

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("context", request.Input);
        var sent = request with { OperationId = request.OperationId ?? NewOperationId() };
        return ForwardProgress.ReadAsync(calls, token => _grain.CreateAsync(sent, token), ForwardProgress.PlaceOf, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken)
    {
        var sent = request with { OperationId = request.OperationId ?? NewOperationId() };
        return ForwardProgress.ReadAsync(calls, token => _grain.ForkAsync(sent, token), ForwardProgress.PlaceOf, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("addition", request.Input);
        var sent = request with { OperationId = request.OperationId ?? NewOperationId() };
        return ForwardProgress.ReadAsync(calls, token => _grain.AppendAsync(sent, token), ForwardProgress.PlaceOf, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ContextDescription> GetAsync(CancellationToken cancellationToken) => calls.CallAsync(_grain.GetAsync, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("prompt", request.Prompt);
        var sent = request with { OperationId = request.OperationId ?? NewOperationId(), Options = ResumedAnswer.WithSeed(request.Options) };
        return ResumedAnswer.ReadAsync(calls, (resume, token) => _grain.AskAsync(sent with { Resume = resume ?? sent.Resume }, token), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ScoreResult>> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken)
    {
        RequestSize.Check("continuation", request.Continuations);
        return await calls.CallAsync(async token => await _grain.ScoreAsync(request, token).ToListAsync(token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false)
            is { } results && results.Count == request.Continuations.Length
            ? results
            : throw new GranaryException(ErrorCodes.Unavailable, $"Scoring over '{id}' ended before all of {request.Continuations.Length} continuations had a result.", "Try again.");
    }

    /// <inheritdoc/>
    public Task<ContextDescription> UpdateAsync(UpdateContextRequest request, CancellationToken cancellationToken)
    {
        var sent = request with { OperationId = request.OperationId ?? NewOperationId() };
        return calls.CallAsync(() => _grain.UpdateAsync(sent), cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken) =>
        ForwardProgress.ReadAsync(calls, token => _grain.WarmAsync(request, token), static step => step.Result is null ? (0, step.DoneTokens) : null, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken) =>
        ForwardProgress.ReadAsync(calls, _grain.VerifyAsync, static step => step.Result is null ? (0, step.DoneTokens) : null, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> EvictAsync(CancellationToken cancellationToken) => calls.CallAsync(_grain.EvictAsync, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteAsync(CancellationToken cancellationToken)
    {
        var operationId = NewOperationId();
        return calls.CallAsync(
            async () =>
            {
                await _grain.DeleteAsync(operationId).ConfigureAwait(false);
                return true;
            },
            cancellationToken);
    }

    private static string NewOperationId() => Guid.NewGuid().ToString("N");
}
