using System.Runtime.CompilerServices;
using Granary.Client.Calls;
using Granary.Client.Connection;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Calls;

/// <summary>Streams that break are opened again, where they were.</summary>
public sealed class ReopenedStreamTests
{
    private const double LastSilosFirstToken = 1000;
    private static readonly AnswerStart Start = new(3, 1, "life", 42);
    private readonly FakeTimeProvider _time = new();
    private readonly GatewayLosses _losses;

    public ReopenedStreamTests() => _losses = new GatewayLosses(_time);

    private GrainCalls Calls => new(_time, TimeSpan.FromSeconds(30), _losses, NullLogger.Instance);

    [Fact]
    public async Task ReadAsync_AnswerBreaksTwice_GivesEachTokenOnce()
    {
        var opened = new List<AnswerResume?>();
        var answer = ResumedAnswer.ReadAsync(Calls, (resume, _) =>
        {
            opened.Add(resume);
            return AnswerAsync(resume?.TokenIds.Length ?? 0, breakAfter: opened.Count < 3 ? 2 : int.MaxValue);
        }, CancellationToken.None);
        var parts = await DriveAsync(answer);

        Assert.Equal([0, 1, 2, 3, 4], parts.Where(static part => part.Token is not null).Select(static part => part.Token!.Index));
        Assert.InRange(parts[^1].Answer!.FirstTokenSeconds, 0, LastSilosFirstToken - 1); // when the first token came, whichever silo answered in the end
        Assert.DoesNotContain(parts, static part => part.Start is not null);
        Assert.Null(opened[0]);
        Assert.Equal([(Start, "10,11"), (Start, "10,11,12,13")], opened.Skip(1).Select(static resume => (resume!.Start, string.Join(',', resume.TokenIds))));
    }

    [Fact]
    public async Task ReadAsync_AnswerBreaksBeforeItsStart_BeginsAnew()
    {
        var opened = new List<AnswerResume?>();
        var answer = ResumedAnswer.ReadAsync(Calls, (resume, _) =>
        {
            opened.Add(resume);
            return opened.Count == 1 ? throw new TimeoutException() : AnswerAsync(0, int.MaxValue);
        }, CancellationToken.None);

        Assert.Equal(6, (await DriveAsync(answer)).Count);
        Assert.Equal([null, null], opened);
    }

    [Fact]
    public async Task ReadAsync_ItsConnectionEndsBetweenTokens_GoesOnElsewhere()
    {
        var opened = new List<AnswerResume?>();
        var stalled = new TaskCompletionSource();
        var answer = ResumedAnswer.ReadAsync(Calls, (resume, _) =>
        {
            opened.Add(resume);
            return opened.Count == 1 ? AnswerAsync(0, int.MaxValue, stallAt: 2, stalled) : AnswerAsync(resume!.TokenIds.Length, int.MaxValue);
        }, CancellationToken.None);
        var read = DriveAsync(answer);
        await stalled.Task;
        _losses.Note();

        Assert.Equal([0, 1, 2, 3, 4], (await read).Where(static part => part.Token is not null).Select(static part => part.Token!.Index));
        Assert.Equal("10,11", string.Join(',', opened[1]!.TokenIds));
    }

    [Fact]
    public async Task ReadAsync_AnotherConnectionEnds_TheStreamThatWaitsKeepsItsPlace()
    {
        var (opened, turn, left) = (0, new TaskCompletionSource(), new TaskCompletionSource());
        var answer = ResumedAnswer.ReadAsync(Calls, (_, token) => ++opened == 1 ? QueuedAsync() : NeverAsync(token), CancellationToken.None);
        var read = DriveAsync(answer);
        _losses.Note();
        while (Volatile.Read(ref opened) < 2)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }

        turn.SetResult();
        Assert.Equal(5, (await read).Count(static part => part.Token is not null));
        await left.Task;
        Assert.Equal(2, opened);

        async IAsyncEnumerable<AnswerPart> QueuedAsync()
        {
            await turn.Task;
            await foreach (var part in AnswerAsync(0, int.MaxValue))
            {
                yield return part;
            }
        }

        async IAsyncEnumerable<AnswerPart> NeverAsync([EnumeratorCancellation] CancellationToken token)
        {
            token.Register(left.SetResult);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
            yield break;
        }
    }

    [Fact]
    public async Task ReadAsync_ContextIsGone_SaysSoAtOnce()
    {
        var opened = 0;
        var answer = ResumedAnswer.ReadAsync(Calls, (_, _) => opened++ == 0 ? AnswerAsync(0, breakAfter: 1) : throw new GranaryException(ErrorCodes.ContextNotFound, "gone", "create it"), CancellationToken.None);

        var error = await Assert.ThrowsAsync<GranaryException>(() => DriveAsync(answer));
        Assert.Equal((ErrorCodes.ContextNotFound, 2), (error.Code, opened));
    }

    [Fact]
    public async Task ReadAsync_NobodyComesBack_IsUnavailableInTheEnd()
    {
        var began = _time.GetTimestamp();
        var answer = ResumedAnswer.ReadAsync(Calls, (_, _) => throw new SiloUnavailableException("gone"), CancellationToken.None);

        var error = await Assert.ThrowsAsync<GranaryException>(() => DriveAsync(answer));
        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 30, 33);
    }

    [Fact]
    public async Task ReadAsync_EverySiloFailsRightAfterTheStart_IsUnavailableInTheEnd()
    {
        var began = _time.GetTimestamp();
        var answer = ResumedAnswer.ReadAsync(Calls, (_, _) => AnswerAsync(0, breakAfter: 0), CancellationToken.None);

        var error = await Assert.ThrowsAsync<GranaryException>(() => DriveAsync(answer));
        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 30, 33);
    }

    [Fact]
    public async Task ReadAsync_NoWorkerAfterOtherFailures_IsTriedForAWhile()
    {
        var opened = 0;
        var answer = ResumedAnswer.ReadAsync(Calls, (_, _) => ++opened switch
        {
            <= 5 => throw new SiloUnavailableException("gone"),
            6 => throw new OrleansException($"{ErrorCodes.NoWorker}: no active silo serves model 'm'."),
            _ => AnswerAsync(0, int.MaxValue),
        }, CancellationToken.None);

        Assert.NotNull((await DriveAsync(answer))[^1].Answer);
    }

    [Fact]
    public async Task CallAsync_TheCauseIsDefinite_IsNotTriedAgain()
    {
        var tries = 0;
        var error = await Assert.ThrowsAsync<GranaryException>(() => Calls.CallAsync<int>(
            () =>
            {
                tries++;
                throw new OrleansException("activation failed", new GranaryException(ErrorCodes.DatasetInvalid, "damaged", "restore it"));
            },
            CancellationToken.None));
        Assert.Equal((ErrorCodes.DatasetInvalid, 1), (error.Code, tries));
    }

    [Fact]
    public async Task ReadAsync_ModelIsServedNowhere_SaysSoAfterAFewTries()
    {
        var opened = 0;
        var answer = ResumedAnswer.ReadAsync(Calls, (_, _) =>
        {
            opened++;
            throw new OrleansException($"{ErrorCodes.NoWorker}: no active silo serves model 'm'.");
        }, CancellationToken.None);

        var began = _time.GetTimestamp();
        var error = await Assert.ThrowsAsync<GranaryException>(() => DriveAsync(answer));
        Assert.Equal(ErrorCodes.NoWorker, error.Code);
        Assert.InRange(opened, 4, 12);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 3, 6);
    }

    [Fact]
    public async Task ReadAsync_CallerLeavesWhileItWaits_IsCancelled()
    {
        using var leaving = new CancellationTokenSource();
        var answer = ResumedAnswer.ReadAsync(Calls, (_, _) => throw new TimeoutException(), leaving.Token);
        var read = answer.ToListAsync(CancellationToken.None);
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.AsTask());
    }

    [Fact]
    public async Task ReadAsync_ProgressBeginsAnew_GoesForwardOnly()
    {
        var opened = 0;
        var progress = ForwardProgress.ReadAsync(Calls, _ => ProgressAsync(opened++ == 0), ForwardProgress.PlaceOf, CancellationToken.None);

        Assert.Equal(
            [(ContextStage.Accepted, 0), (ContextStage.Prefilling, 256), (ContextStage.Prefilling, 300), (ContextStage.Stored, 300)],
            (await DriveAsync(progress)).Select(static step => (step.Stage, step.DoneTokens)));
    }

    private static async IAsyncEnumerable<AnswerPart> AnswerAsync(int from, int breakAfter, int stallAt = -1, TaskCompletionSource? stalled = null)
    {
        yield return new AnswerPart(null, null, Start);
        for (var index = from; index < 5; index++)
        {
            if (index - from == breakAfter)
            {
                throw new EnumerationAbortedException("gone");
            }

            if (index == stallAt)
            {
                stalled!.SetResult();
                await new TaskCompletionSource().Task; // whoever would answer is gone
            }

            await Task.Yield();
            yield return new AnswerPart(new AnswerToken(index, 10 + index, null, null), null);
        }

        yield return new AnswerPart(null, new Answer
        {
            Model = "m",
            Numerics = "n",
            Exact = true,
            TokenIds = [10, 11, 12, 13, 14],
            FinishReason = "length",
            Usage = new AnswerUsage(3, 1, 3, 0, 0, 5),
            FirstTokenSeconds = LastSilosFirstToken,
            Plan = new AnswerPlan("resident", ""),
        });
    }

    private static async IAsyncEnumerable<ContextProgress> ProgressAsync(bool breaks)
    {
        await Task.Yield();
        yield return new ContextProgress(ContextStage.Accepted, 0, 300);
        yield return new ContextProgress(ContextStage.Prefilling, 256, 300);
        if (breaks)
        {
            throw new TimeoutException();
        }

        yield return new ContextProgress(ContextStage.Prefilling, 300, 300);
        yield return new ContextProgress(ContextStage.Stored, 300, 300);
    }

    private Task<List<T>> DriveAsync<T>(IAsyncEnumerable<T> stream) => _time.ReadAllAsync(stream);
}
