using Microsoft.AspNetCore.Connections;

namespace Granary.Client.Connection;

/// <summary>Tells the calls under way that a connection to a silo has ended, which may have carried them. Orleans lets such a call wait until its time is over.</summary>
/// <remarks>Which connection carries a call is not told; one that hears nothing shortly after the end of any is taken for lost. Thread-safe.</remarks>
/// <param name="time">The clock.</param>
internal sealed class GatewayLosses(TimeProvider time) : IDisposable
{
    // Long enough for what goes by another connection to arrive, a token above all.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(250);
    private CancellationTokenSource _next = new();

    /// <summary>Gets what is cancelled shortly after the next end of a connection.</summary>
    public CancellationToken Next => Volatile.Read(ref _next).Token;

    /// <summary>Watches a client's connections.</summary>
    /// <param name="connections">Where each connection passes.</param>
    public void Watch(IConnectionBuilder connections) => connections.Use(next => async context =>
    {
        try
        {
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            Note();
        }
    });

    /// <summary>Notes that a connection has ended. What is called from now on takes another one.</summary>
    public void Note() => _ = CancelSoonAsync(Interlocked.Exchange(ref _next, new CancellationTokenSource()));

    /// <inheritdoc/>
    public void Dispose() => Volatile.Read(ref _next).Dispose();

    private async Task CancelSoonAsync(CancellationTokenSource previous)
    {
        await Task.Delay(Grace, time).ConfigureAwait(false);
        await previous.CancelAsync().ConfigureAwait(false); // and not disposed: a call may be about to take its token
    }
}
