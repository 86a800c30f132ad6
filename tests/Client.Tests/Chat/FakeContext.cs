using System.Runtime.CompilerServices;
using Granary.Contexts;

namespace Granary.Client.Tests.Chat;

/// <summary>A context in memory: it gives what it is told to, and keeps what it was asked.</summary>
internal sealed class FakeContext : IGranaryContext
{
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ContextId Id { get; } = new("default", "ledger-4m", "village");

    public List<AskRequest> Asked { get; } = [];

    public string[] Tokens { get; init; } = [" Hu", "", "go"];

    public string Text { get; init; } = " Hugo";

    public string FinishReason { get; init; } = "stop";

    /// <summary>Gets whether the stream breaks off before its answer.</summary>
    public bool BreaksOff { get; init; }

    /// <summary>Gets what is thrown behind the first token.</summary>
    public Exception? Fault { get; init; }

    /// <summary>Gets whether the stream waits, behind its first token, until its token is cancelled.</summary>
    public bool Hangs { get; init; }

    /// <summary>Gets a task that ends when a stream that hangs was cancelled.</summary>
    public Task Left => _left.Task;

    public Answer Answer => new()
    {
        Context = Id.Name,
        Model = Id.Model,
        Numerics = "n",
        Exact = true,
        Text = Text,
        TokenIds = [1, 2, 3],
        FinishReason = FinishReason,
        Usage = new AnswerUsage(ContextTokens: 60, PromptTokens: 20, ResidentTokens: 30, RestoredTokens: 25, RecomputedTokens: 5, DecodedTokens: 3),
        FirstTokenSeconds = 0.1,
        Plan = new AnswerPlan("mixed", "because"),
    };

    public async IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Asked.Add(request);
        for (var i = 0; i < Tokens.Length; i++)
        {
            yield return new AnswerPart(new AnswerToken(i, i + 1, Tokens[i], null), null);
            if (Fault is not null)
            {
                throw Fault;
            }

            if (Hangs)
            {
                using var leaving = cancellationToken.Register(_left.SetResult);
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
        }

        if (!BreaksOff)
        {
            yield return new AnswerPart(null, Answer);
        }
    }

    public IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ContextDescription> UpdateAsync(UpdateContextRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ContextDescription> GetAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IReadOnlyList<ScoreResult>> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<bool> EvictAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task DeleteAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();
}
