using Granary.Cli.Arguments;
using Granary.Client;
using Granary.Errors;
using Granary.Inference.Checkpoints;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Sessions;

/// <summary>A session with a cluster.</summary>
internal sealed class ClusterSession(GranaryConnection connection) : IGranarySession
{
    /// <inheritdoc/>
    public IGranaryClient Client => connection.Client;

    /// <summary>Connects.</summary>
    /// <param name="cluster">The cluster's address.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="logging">Where logs go.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The session.</returns>
    public static async Task<IGranarySession> OpenAsync(string cluster, Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken) =>
        new ClusterSession(await GranaryConnection.ConnectAsync(
            options =>
            {
                options.Cluster = cluster;
                options.ClusterId = settings.ClusterId ?? options.ClusterId;
                options.ServiceId = settings.ServiceId ?? options.ServiceId;
            },
            logging,
            cancellationToken));

    /// <inheritdoc/>
    /// <remarks>The cluster has loaded its models; a folder that is named here has to be the same one.</remarks>
    public async Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken)
    {
        var served = (await Client.ListModelsAsync(cancellationToken: cancellationToken)).FirstOrDefault(model => model.Model == modelId);
        if (served is null || !Directory.Exists(folder))
        {
            return; // asking it says that nobody serves it
        }

        using var checkpoint = Checkpoint.Open(folder);
        if (Fingerprints.Get(checkpoint, FingerprintCache.Default(), null, cancellationToken) != served.Fingerprint || dtype != served.Dtype || codec != served.Codec)
        {
            throw new GranaryException(
                ErrorCodes.ModelSpecConflict, $"The cluster serves '{modelId}' with another content than {folder} ({dtype}, codec {codec}).", "Name the model that the cluster serves, or another id with --model-id.");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
