using Granary.Client.Calls;
using Granary.Client.Connection;
using Granary.Contexts;
using Granary.Errors;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Calls;

public sealed class GrainCallsTests
{
    private static readonly TimeSpan RetryFor = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider _time = new();
    private readonly GatewayLosses _losses;

    public GrainCallsTests() => _losses = new GatewayLosses(_time);

    private GrainCalls Once => new(_time, TimeSpan.Zero, _losses, NullLogger.Instance);

    private GrainCalls Calls => new(_time, RetryFor, _losses, NullLogger.Instance);

    [Fact]
    public async Task CallAsync_AnswersAtTheThirdTry_GivesTheAnswer()
    {
        var tries = 0;
        var read = Calls.CallAsync(() => ++tries < 3 ? throw new TimeoutException() : Task.FromResult(tries), CancellationToken.None);
        await DriveAsync(read);

        Assert.Equal(3, await read);
    }

    [Fact]
    public async Task CallAsync_NeverAnswers_IsUnavailableOnceTheTimeIsOver()
    {
        var (tries, began) = (0, _time.GetTimestamp());
        var read = Calls.CallAsync<int>(
            () =>
            {
                tries++;
                throw new SiloUnavailableException("gone");
            },
            CancellationToken.None);
        await DriveAsync(read);

        var error = await Assert.ThrowsAsync<GranaryException>(() => read);
        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.InRange(tries, 20, 90); // pauses of 0.1 s, doubling to 1 s, jittered
        Assert.InRange(_time.GetElapsedTime(began), RetryFor, RetryFor + TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task CallAsync_ItsConnectionEnds_IsTriedAgainSoon()
    {
        var (tries, began) = (0, _time.GetTimestamp());
        var read = Calls.CallAsync(() => ++tries == 1 ? new TaskCompletionSource<int>().Task : Task.FromResult(tries), CancellationToken.None);
        _losses.Note();
        await DriveAsync(read);

        Assert.Equal(2, await read);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 0.25, 1); // a moment for what another connection carries, and the first pause
    }

    [Fact]
    public async Task CallAsync_ItsConnectionEndsAndTheOthersKnowNothingYet_IsTriedAgainSoon()
    {
        var (tries, began) = (0, _time.GetTimestamp());
        var read = Calls.CallAsync(
            () => ++tries switch
            {
                1 => new TaskCompletionSource<int>().Task,
                < 5 => throw new SiloUnavailableException("gone"),
                _ => Task.FromResult(tries),
            },
            CancellationToken.None);
        _losses.Note();
        await DriveAsync(read);

        Assert.Equal(5, await read);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 0.25, 3); // what is lost is not waited for
    }

    [Fact]
    public async Task CallAsync_AConnectionEndedBefore_IsNotMadeAgain()
    {
        var answer = new TaskCompletionSource<int>();
        var (tries, read) = (0, Task.CompletedTask);
        _losses.Note();
        read = Calls.CallAsync(
            () =>
            {
                tries++;
                return answer.Task;
            },
            CancellationToken.None);
        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }

        answer.SetResult(1);
        await read;
        Assert.Equal(1, tries);
    }

    [Fact]
    public async Task CallAsync_AnotherConnectionEnds_TheFirstAnswerIsTakenAndTheOtherCallLeft()
    {
        var (first, tries, left) = (new TaskCompletionSource<string>(), 0, new TaskCompletionSource());
        var read = Calls.CallAsync(
            token =>
            {
                if (++tries == 1)
                {
                    return first.Task;
                }

                token.Register(left.SetResult);
                return new TaskCompletionSource<string>().Task;
            },
            CancellationToken.None);
        _losses.Note();
        await DriveAsync(Task.WhenAny(read, WaitUntilAsync(() => tries == 2)));
        first.SetResult("healthy");

        Assert.Equal("healthy", await read);
        await left.Task;
    }

    [Fact]
    public async Task CallAsync_NothingIsToBeRetried_NorIsACallOfALostConnection()
    {
        var tries = 0;
        var read = Once.CallAsync(
            () =>
            {
                tries++;
                return new TaskCompletionSource<int>().Task.WaitAsync(TimeSpan.FromSeconds(5), _time);
            },
            CancellationToken.None);
        _losses.Note();
        await DriveAsync(read);

        await Assert.ThrowsAsync<GranaryException>(() => read);
        Assert.Equal(1, tries);
    }

    [Fact]
    public async Task CallAsync_NothingIsToBeRetried_IsMadeOnce()
    {
        var tries = 0;
        await Assert.ThrowsAsync<GranaryException>(() => Once.CallAsync<int>(
            () =>
            {
                tries++;
                throw new TimeoutException();
            },
            CancellationToken.None));
        Assert.Equal(1, tries);
    }

    [Theory]
    [InlineData("No active nodes are compatible with grain context and interface Granary.Contexts.IContextGrain version 0.", "No active silo serves a model: all are fronts.")]
    [InlineData("No active nodes are compatible with grain dataset and interface Granary.Datasets.IDatasetGrain version 0.", "No active silo looks after data sets, listings, sweeps and the cluster: all are workers.")]
    [InlineData("Placing failed. NoWorker: No active silo serves model 'x'; served are a (1 of 3 silos), b (2 of 3 silos).\n   at somewhere", "No active silo serves model 'x'; served are a (1 of 3 silos), b (2 of 3 silos).")]
    public async Task CallAsync_NoSiloMayHostIt_IsNoWorkerAndSaysWhatIsServed(string thrown, string said)
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => Once.CallAsync<int>(() => throw new OrleansException(thrown), CancellationToken.None));
        Assert.Equal((ErrorCodes.NoWorker, said), (error.Code, error.Message));
    }

    [Fact]
    public async Task CallAsync_GranarysOwnError_ArrivesAsItIs()
    {
        var thrown = new GranaryException(ErrorCodes.ContextNotFound, "no", "create it");
        Assert.Same(thrown, await Assert.ThrowsAsync<GranaryException>(() => Once.CallAsync<int>(() => throw thrown, CancellationToken.None)));
    }

    [Fact]
    public async Task CallAsync_CallerCancelled_ThrowsCancellation()
    {
        using var cancelled = new CancellationTokenSource();
        var call = Once.CallAsync(() => new TaskCompletionSource<int>().Task, cancelled.Token);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task ReopenAsync_NothingIsToBeRetried_GivesWhatCameThenUnavailable()
    {
        var seen = new List<int>();
        var error = await Assert.ThrowsAsync<GranaryException>(async () =>
        {
            await foreach (var element in Once.ReopenAsync(_ => BreakAsync(), static _ => false, CancellationToken.None))
            {
                seen.Add(element);
            }
        });
        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.Equal([1], seen);

        static async IAsyncEnumerable<int> BreakAsync()
        {
            yield return 1;
            await Task.Yield();
            throw new EnumerationAbortedException("gone");
        }
    }

    [Fact]
    public void Check_TextOverTheLimit_IsTooLarge() =>
        Assert.Equal(ErrorCodes.RequestTooLarge, Assert.Throws<GranaryException>(() => RequestSize.Check("prompt", TokenInput.OfText(new string('a', RequestSize.LimitBytes + 1)))).Code);

    [Fact]
    public void Check_NothingGiven_IsEmpty() =>
        Assert.Equal(ErrorCodes.EmptyInput, Assert.Throws<GranaryException>(() => RequestSize.Check("prompt", new TokenInput())).Code);

    [Fact]
    public void Check_TextAndIds_AreRefused() =>
        Assert.Equal(ErrorCodes.InvalidArgument, Assert.Throws<GranaryException>(() => RequestSize.Check("prompt", new TokenInput { Text = "a", TokenIds = [1] })).Code);

    private static async Task WaitUntilAsync(Func<bool> isSo)
    {
        while (!isSo())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }

    // Each pause is due once the clock moves on.
    private async Task DriveAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System); // lets what has become due run, on a busy machine too
        }
    }
}
