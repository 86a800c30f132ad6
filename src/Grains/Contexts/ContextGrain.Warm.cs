using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Transitions;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    private event Action<int>? Restored;

    /// <inheritdoc/>
    public IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(WarmStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<WarmProgress> WarmStreamAsync(WarmRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        if (request.Plan == PlanChoice.Recompute)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "What is recomputed for one request is not kept in memory.", "Warm with the plan auto or load.");
        }

        var total = (await RequireAsync(cancellationToken)).Manifest.TokenIds.Length;
        yield return new WarmProgress(0, total);
        await foreach (var (done, result) in FollowedWork.RunAsync((report, stopping) => WarmOnceAsync(request, arrived, report, stopping), cancellationToken))
        {
            yield return result is null ? new WarmProgress(Math.Min(done, total), total) : new WarmProgress(result.Context.Tokens, result.Context.Tokens, result);
        }
    }

    private async Task<ContextWarmed> WarmOnceAsync(WarmRequest request, long arrived, Action<int> report, CancellationToken cancellationToken)
    {
        Restored += report;
        try
        {
            return await OnNewestAsync(manifest => WarmVersionAsync(request, arrived, manifest, cancellationToken), cancellationToken);
        }
        finally
        {
            Restored -= report;
        }
    }

    // The way of an ask without a tail.
    private async Task<ContextWarmed> WarmVersionAsync(WarmRequest request, long arrived, ContextManifest manifest, CancellationToken cancellationToken)
    {
        NoteHit();
        using var grant = await GrantAsync(manifest, tailBytes: 0, request.Plan, request.Batch, cancellationToken);
        return new ContextWarmed(
            Describe(_stored is { } stored && IsCurrent(manifest) ? stored.Manifest : manifest),
            grant.ResidentTokens,
            grant.RestoredTokens,
            grant.RecomputedTokens,
            new AnswerPlan(grant.Decision, grant.Reason),
            time.GetElapsedTime(arrived).TotalSeconds,
            Model.Numerics,
            Model.IsExact);
    }
}
