using System.Runtime.CompilerServices;
using Granary.Client.Calls;
using Granary.Datasets;
using Granary.Naming;

namespace Granary.Client.Datasets;

/// <summary>A data set, behind its coordinator grain.</summary>
internal sealed class GranaryDataset(IGrainFactory grains, GrainCalls calls, DatasetId id) : IGranaryDataset
{
    private readonly IDatasetGrain _grain = grains.GetGrain<IDatasetGrain>(id.ToString());

    /// <inheritdoc/>
    public DatasetId Id => id;

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetStatus> PrecomputeAsync(DatasetSource source, string model, string? modelFolder, CancellationToken cancellationToken)
    {
        Names.CheckModel(model);
        return RunAsync(source, model, modelFolder, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<DatasetStatus> GetStatusAsync(CancellationToken cancellationToken) => calls.ReadAsync(_grain.GetStatusAsync, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken) =>
        GrainCalls.StreamAsync(token => _grain.AskAsync(request, token), cancellationToken);

    private async IAsyncEnumerable<DatasetStatus> RunAsync(
        DatasetSource source,
        string model,
        string? modelFolder,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await UploadAsync(source, cancellationToken).ConfigureAwait(false);
        var request = new PrecomputeRequest
        {
            Digest = source.Digest,
            Model = model,
            Items = source.Items.Count,
            Unreadable = [.. source.Failures],
            ModelFolder = modelFolder,
        };
        await foreach (var status in GrainCalls.StreamAsync(token => _grain.PrecomputeAsync(request, token), cancellationToken).ConfigureAwait(false))
        {
            yield return status;
        }
    }

    private async Task UploadAsync(DatasetSource source, CancellationToken cancellationToken)
    {
        var missing = await calls.ReadAsync(() => _grain.FindMissingShardsAsync(source.Digest, source.Shards), cancellationToken).ConfigureAwait(false);
        foreach (var shard in missing)
        {
            foreach (var part in ShardParts.Of(source, shard))
            {
                await GrainCalls.OnceAsync(() => PutAsync(part), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> PutAsync(PutItemsRequest part)
    {
        await _grain.PutItemsAsync(part).ConfigureAwait(false);
        return true;
    }
}
