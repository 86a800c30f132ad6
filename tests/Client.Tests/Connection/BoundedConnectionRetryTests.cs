using Granary.Client.Connection;
using Granary.Errors;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Client.Tests.Connection;

public sealed class BoundedConnectionRetryTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly Exception Failure = new InvalidOperationException("refused");
    private readonly FakeTimeProvider _time = new();
    private readonly BoundedConnectionRetry _retry;

    public BoundedConnectionRetryTests() => _retry = new BoundedConnectionRetry(new GranaryClientOptions { Cluster = "localhost:30000", ConnectTimeout = 3 * Pause }, _time);

    [Fact]
    public async Task ShouldRetry_TimeIsLeft_PausesAndSaysSo()
    {
        var asked = _retry.ShouldRetryConnectionAttempt(Failure, TestContext.Current.CancellationToken);
        Assert.False(asked.IsCompleted);

        _time.Advance(Pause);
        Assert.True(await asked.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System));
    }

    [Fact]
    public async Task ShouldRetry_NoPauseFitsAnyMore_ThrowsWhatACallerCanDo()
    {
        _time.Advance((3 * Pause) - (Pause / 2));

        var error = await Assert.ThrowsAsync<GranaryException>(() => _retry.ShouldRetryConnectionAttempt(Failure, TestContext.Current.CancellationToken));
        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.Equal("No silo of the cluster 'localhost:30000' answered within 3 s (InvalidOperationException: refused)", error.Message);
        Assert.Same(Failure, error.InnerException);
    }

    [Fact]
    public async Task ShouldRetry_TheStartIsCancelled_IsCancelledWhateverTheTime()
    {
        using var cancelling = new CancellationTokenSource();
        var asked = _retry.ShouldRetryConnectionAttempt(Failure, cancelling.Token);
        await cancelling.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);

        _time.Advance(3 * Pause);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _retry.ShouldRetryConnectionAttempt(Failure, cancelling.Token));
    }
}
