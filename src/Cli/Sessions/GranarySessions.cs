using Granary.Cli.Arguments;
using Granary.Silo;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Sessions;

/// <summary>The sessions of a real process.</summary>
internal sealed class GranarySessions : IGranarySessions
{
    /// <inheritdoc/>
    public Task<IGranarySession> OpenAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken) => settings.Cluster is { } cluster
        ? ClusterSession.OpenAsync(cluster, settings, logging, cancellationToken)
        : EmbeddedSession.StartAsync(settings, logging, cancellationToken);

    /// <inheritdoc/>
    public Task ServeAsync(Settings settings, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken) =>
        GranaryHost.RunAsync(settings.Configuration, logging, ready, cancellationToken);

    /// <inheritdoc/>
    public Task<int> RunSelfAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken) =>
        SelfProcess.RunAsync(arguments, environment, error, cancellationToken);
}
