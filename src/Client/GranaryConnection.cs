using Granary.Client.Connection;
using Granary.Errors;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Client;

/// <summary>A client for programs that have no host: connected when it is got, disconnected when it is disposed.</summary>
public sealed class GranaryConnection : IAsyncDisposable
{
    private readonly IHost _host;

    private GranaryConnection(IHost host) => _host = host;

    /// <summary>Gets the client.</summary>
    public IGranaryClient Client => _host.Services.GetRequiredService<IGranaryClient>();

    /// <summary>Connects to a cluster.</summary>
    /// <param name="configure">Sets the options.</param>
    /// <param name="logging">Sets where logs go; <see langword="null"/> for nowhere.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The connection; the caller disposes it.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.InvalidArgument"/>: put right the options that the message names.
    /// <see cref="ErrorCodes.Unavailable"/>: no silo answered in time; start one, or correct the address.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task<GranaryConnection> ConnectAsync(
        Action<GranaryClientOptions> configure,
        Action<ILoggingBuilder>? logging = null,
        CancellationToken cancellationToken = default)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        logging?.Invoke(builder.Logging);
        builder.Services.AddGranaryClient(configure);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken).ConfigureAwait(false);
            return new GranaryConnection(host);
        }
        catch (OptionsValidationException e)
        {
            host.Dispose();
            throw new GranaryException(ErrorCodes.InvalidArgument, string.Join(" ", e.Failures), ClusterAddress.Forms, e);
        }
        catch
        {
            host.Dispose();
            cancellationToken.ThrowIfCancellationRequested(); // whatever the end of the attempt broke
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync().ConfigureAwait(false);
        _host.Dispose();
    }
}
