using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Naming;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    private const int MostTouchesAtOnce = 8;

    /// <inheritdoc/>
    public IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(ForkStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<ContextProgress> ForkStreamAsync(ForkRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var creation = await ReadForkAsync(request, cancellationToken);
        await foreach (var progress in CreateOrJoinAsync(creation, cancellationToken))
        {
            yield return progress;
        }
    }

    // The parent's manifest is read from the store, as a client would: contexts do not call each other (invariant 6).
    private async Task<Creation> ReadForkAsync(ForkRequest request, CancellationToken cancellationToken)
    {
        var (id, operationId) = (Id, OperationIds.Check(request.OperationId));
        var parentId = id with { Name = Names.Check("context", request.Parent) };
        if (parentId == id)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{Key}' was to be forked from itself.", "Give the new context another name.");
        }

        // What this very request made is the child's own business: the parent may have grown, or gone, since.
        var child = (await LoadAsync(cancellationToken, fresh: true))?.Manifest;
        RefuseDeletedSince(operationId);
        if (child?.FindOperation(operationId) is { } made)
        {
            return new Creation
            {
                Ids = child.TokenIds[..Math.Min(made.Count, child.TokenIds.Length)],
                Labels = child.Labels,
                Batch = request.Batch,
                OperationId = operationId,
                ChunkTenant = child.ChunkTenant,
            };
        }

        var parent = Alive(await manifests.FindAsync(id.Tenant, id.Model, parentId.Name, cancellationToken))?.Manifest ?? throw NotFound(parentId.ToString());
        if (parent.Fingerprint != Model.Spec.Fingerprint)
        {
            throw new GranaryException(ErrorCodes.ContextConflict, $"'{parentId}' was made with other weights than '{Model.Id}' has here.", "Create the context anew.");
        }

        RefuseOtherVersion(parent, request.IfVersion);
        return new Creation
        {
            Ids = parent.TokenIds,
            Truncated = parent.TruncatedTokens,
            TimeToLive = request.TimeToLive,
            RefreshOnHit = request.RefreshOnHit,
            Labels = request.Labels,
            Batch = request.Batch,
            OperationId = operationId,
            ChunkTenant = parent.ChunkTenant,
            Parent = parent,
        };
    }

    // A fork is on its parent's chunks: they are touched, so that no sweep that has read the manifests before takes them, and none is read. Where one
    // is missing, the fork is filled as any context is.
    private async Task<ManifestChunk[]?> FindChunksOfParentAsync(ContextManifest parent, ChunkIdentity[] chain, CancellationToken cancellationToken)
    {
        if (parent.State != ManifestStates.Stored || parent.Chunks.GetValueOrDefault(Model.Numerics) is not { } chunks
            || !chunks.Select(static chunk => chunk.Hash).SequenceEqual(chain.Select(static chunk => chunk.Hash.ToString())))
        {
            return null;
        }

        foreach (var few in chain.Chunk(MostTouchesAtOnce))
        {
            var touched = await Task.WhenAll(few.Select(async chunk => await chunkStore.ExistsAsync(chunk, cancellationToken) && await chunkStore.TouchAsync(chunk, cancellationToken)));
            if (touched.Contains(false))
            {
                return null;
            }
        }

        return chunks;
    }
}
