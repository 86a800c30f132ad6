using Granary.Cli.Arguments;
using Granary.Client;
using Granary.Silo;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Sessions;

/// <summary>A session with a silo in this process, on the store of the settings.</summary>
internal sealed class EmbeddedSession(EmbeddedGranary silo) : IGranarySession
{
    /// <inheritdoc/>
    public IGranaryClient Client => silo.Client;

    /// <summary>Starts the silo. It serves what is loaded, not what the settings name: a command needs one model at most.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="logging">Where logs go.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The session.</returns>
    public static async Task<IGranarySession> StartAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken)
    {
        var options = new GranaryOptions { Store = settings.Store, Engine = settings.Engine };
        return new EmbeddedSession(await EmbeddedGranary.StartAsync(options, settings.Features, logging, cancellationToken));
    }

    /// <inheritdoc/>
    public Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken) =>
        silo.LoadModelAsync(modelId, folder, dtype, codec, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => silo.DisposeAsync();
}
