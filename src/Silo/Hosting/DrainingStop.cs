using Granary.Grains.Draining;
using Microsoft.Extensions.Hosting;

namespace Granary.Silo.Hosting;

/// <summary>Drains the silo before it stops, and stops it once it has been drained by command.</summary>
/// <remarks>Hosted services stop in the reverse order of their registration: this one is registered after Orleans.</remarks>
internal sealed class DrainingStop(SiloDrain drain, IHostApplicationLifetime lifetime, TimeProvider time) : IHostedService, IDisposable
{
    // Whoever asked for the drain polls it, and is to see that it ended well before the silo is gone.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _watching = StopOnceDrainedAsync();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _watching;
        await drain.DrainAsync().WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    private async Task StopOnceDrainedAsync()
    {
        try
        {
            await drain.Drained.WaitAsync(_stopping.Token);
            await Task.Delay(Linger, time, _stopping.Token);
            lifetime.StopApplication();
        }
        catch (OperationCanceledException)
        {
            // It stops already.
        }
    }
}
