using Microsoft.AspNetCore.Connections;

namespace Granary.Client.Connection;

/// <summary>Tells the calls under way that a connection to a silo has ended, which may have carried them. Orleans lets such a call wait until its time is over.</summary>
/// <remarks>Which connection carries a call is not told; one that hears nothing shortly after the end of any may be lost. Thread-safe.</remarks>
/// <param name="time">The clock.</param>
internal sealed class GatewayLosses(TimeProvider time)
{
    // Long enough for what goes by another connection to arrive, a token above all.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(250);
    private TaskCompletionSource _next = NewSignal();

    /// <summary>Gets what ends shortly after the next end of a connection; to be taken before a call is made.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    /// <summary>Watches a client's connections; those that never were open are none.</summary>
    /// <param name="connections">Where each connection passes.</param>
    public void Watch(IConnectionBuilder connections) => connections.Use(next => async context =>
    {
        // Orleans ends a connection that was open without an error, whatever became of it. One whose handshake fails throws: it has carried no call, and what waited for it Orleans sends by another.
        await next(context).ConfigureAwait(false);
        Note();
    });

    /// <summary>Notes that a connection has ended. What is called from now on takes another one.</summary>
    public void Note() => _ = SignalSoonAsync(Interlocked.Exchange(ref _next, NewSignal()));

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task SignalSoonAsync(TaskCompletionSource signal)
    {
        await Task.Delay(Grace, time).ConfigureAwait(false);
        signal.SetResult();
    }
}
