using System.Runtime.CompilerServices;
using Granary.Client.Calls;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Naming;

namespace Granary.Client.Datasets;

/// <summary>A data set, behind its coordinator grain.</summary>
internal sealed class GranaryDataset(IGrainFactory grains, GrainCalls calls, DatasetId id) : IGranaryDataset
{
    private readonly IDatasetGrain _grain = grains.Find<IDatasetGrain>(id.ToString());

    /// <inheritdoc/>
    public DatasetId Id => id;

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetStatus> PrecomputeAsync(DatasetSource source, string model, string? modelFolder, CancellationToken cancellationToken)
    {
        Names.CheckModel(model);
        return RunAsync(source, model, modelFolder, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<DatasetEstimate> EstimateAsync(DatasetSource source, string model, CancellationToken cancellationToken)
    {
        Names.CheckModel(model);
        return EstimateOnceAsync(source, model, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<DatasetStatus> GetStatusAsync(CancellationToken cancellationToken) => calls.CallAsync(_grain.GetStatusAsync, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (told, content) = (0, request.Content ?? await calls.CallAsync(_grain.GetContentAsync, cancellationToken).ConfigureAwait(false));
        var answers = calls.ReopenAsync(token => _grain.AskAsync(request with { Skip = request.Skip + told, Content = content }, token), static _ => false, cancellationToken);
        await foreach (var answer in answers.ConfigureAwait(false))
        {
            told++;
            yield return answer;
        }
    }

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
        var run = Guid.NewGuid();
        await foreach (var status in ForwardProgress.ReadAsync(calls, token => _grain.PrecomputeAsync(request with { Run = run }, token), NoteRun, cancellationToken).ConfigureAwait(false))
        {
            yield return status;
        }

        (int Stage, int Done)? NoteRun(DatasetStatus status)
        {
            run = status.Run ?? run; // somebody else's, where theirs was under way
            return PlaceOf(status);
        }
    }

    private async IAsyncEnumerable<DatasetEstimate> EstimateOnceAsync(DatasetSource source, string model, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var sum = new EstimateSum(source);
        foreach (var batch in ItemBatches.Of(source.Items.Where(item => CanBeNamed(item, sum)), ItemSize.OfContext))
        {
            // Each batch is placed by itself: one that a silo took down with it is asked for again.
            var estimates = await calls.CallAsync(token => EstimateBatchAsync(batch, model, token), cancellationToken).ConfigureAwait(false);
            foreach (var (item, estimate) in batch.Zip(estimates))
            {
                sum.Add(item.Id, estimate);
                yield return sum.Total;
            }
        }

        yield return sum.Total; // where no item was left to ask about
    }

    private async Task<List<ContextEstimate>> EstimateBatchAsync(DatasetItem[] batch, string model, CancellationToken cancellationToken)
    {
        var grain = grains.Find<IEstimateGrain>($"{id.Tenant}/{model}/~{Guid.NewGuid():N}");
        var request = new EstimateRequest(Array.ConvertAll(batch, item => new EstimatedContext(Names.OfDatasetItem(id.Name, item.Id), TokenInput.OfText(item.Context))));
        var estimates = await grain.EstimateAsync(request, cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        return estimates.Count == batch.Length
            ? estimates
            : throw new GranaryException(ErrorCodes.Internal, $"{estimates.Count} of {batch.Length} contexts were estimated.", "Run it again, and report it.");
    }

    private bool CanBeNamed(DatasetItem item, EstimateSum sum)
    {
        try
        {
            Names.OfDatasetItem(id.Name, item.Id);
            return true;
        }
        catch (GranaryException e)
        {
            sum.Fail(new DatasetFailure(item.Id, e.Code, e.Message));
            return false;
        }
    }

    private async Task UploadAsync(DatasetSource source, CancellationToken cancellationToken)
    {
        var missing = await calls.CallAsync(() => _grain.FindMissingShardsAsync(source.Digest, source.Shards), cancellationToken).ConfigureAwait(false);
        foreach (var shard in missing)
        {
            foreach (var part in ShardParts.Of(source, shard))
            {
                await calls.CallAsync(() => PutAsync(part), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // Each opening tells where the run stands: only an item more is a sign that it goes on.
    private static (int Stage, int Done)? PlaceOf(DatasetStatus status) => status.Ended ? null : (0, status.Done + status.Failed + status.Skipped);

    private async Task<bool> PutAsync(PutItemsRequest part)
    {
        await _grain.PutItemsAsync(part).ConfigureAwait(false);
        return true;
    }
}
