using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    // Each time round another process has committed.
    private const int MostUpdateAttempts = 32;

    // One commit of this activation at a time, deletions apart, so that its own do not fence each other: those of other processes may. Held while the store is read and
    // written, never while the engine works or bytes are waited for (invariant 8).
    private readonly Turn _commitTurn = new();
    private Task _refresh = Task.CompletedTask;

    /// <inheritdoc/>
    public async Task<ContextDescription> UpdateAsync(UpdateContextRequest request) =>
        await ErrorEdge.GuardAsync(UpdateOnceAsync(request, OperationIds.Check(request.OperationId)));

    private async Task<ContextDescription> UpdateOnceAsync(UpdateContextRequest request, string operationId)
    {
        using var turn = await _commitTurn.TakeAsync(_stopping.Token);
        for (var attempt = 1; ; attempt++)
        {
            var alive = await LoadAsync(CancellationToken.None);
            if (_stored?.Manifest is { } known && known.FindOperation(operationId) is { } done)
            {
                RequireUpdate(known, done);
                return alive is not null || request.Expiry == ContextExpiry.Now ? Describe(known) : throw NotFound();
            }

            var current = alive ?? throw NotFound();
            RefuseOtherVersion(current.Manifest, request.IfVersion);
            var next = Updated(current.Manifest, request, time.GetUtcNow());
            var operation = new ManifestOperation(operationId, next.Version, Start: next.TokenIds.Length, Done: time.GetUtcNow());
            try
            {
                return Describe((await CommitWhileAliveAsync(next with { Operations = [.. next.Operations, operation] }, current, CancellationToken.None)).Manifest);
            }
            catch (ObjectConflictException) when (attempt < MostUpdateAttempts)
            {
                // Another process was quicker: what it made of the context is changed instead.
            }
        }
    }

    // What has expired is gone for all who ask: a commit that the store takes too long for must not bring it back.
    private async Task<StoredManifest> CommitWhileAliveAsync(ContextManifest next, StoredManifest previous, CancellationToken cancellationToken)
    {
        using var life = new CancellationTokenSource(Lifetimes.Left(previous.Manifest, time.GetUtcNow()), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(life.Token, cancellationToken);
        try
        {
            return await CommitAsync(next, previous, either.Token);
        }
        catch (OperationCanceledException) when (life.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw NotFound();
        }
    }

    private ContextDescription Describe(ContextManifest manifest) => ManifestDescription.Of(manifest, _lease is { IsResident: true });

    // The version is that of the ids, and so is the time of it.
    private ContextManifest Updated(ContextManifest manifest, UpdateContextRequest request, DateTimeOffset now)
    {
        if (request is { Expiry: null, Pin: null, Unpin: false, SetLabels.Count: 0, RemoveLabels.Length: 0 })
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "Nothing is to be changed.", "Give an expiry, a pin or labels.");
        }

        if (request is { Pin: not null, Unpin: true })
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "The context is to be pinned and unpinned.", "Ask for one of them.");
        }

        var next = request.Expiry is { } expiry ? Lifetimes.WithExpiry(manifest, expiry, now) : manifest;
        if (request.Pin is { } pin)
        {
            next = next with { PinnedUntil = Lifetimes.PinnedUntil(pin, now) };
            registry.RequireKeepable(Key, manifest.ChunkTenant, _lease, Model.Loaded.Layout.BytesOf(manifest.TokenIds.Length));
        }

        var labels = next.Labels.ToDictionary();
        foreach (var key in request.RemoveLabels)
        {
            ContextLabels.CheckKey(key);
            labels.Remove(key);
        }

        foreach (var (key, value) in request.SetLabels)
        {
            labels[key] = value;
        }

        return next with { PinnedUntil = request.Unpin ? null : next.PinnedUntil, Labels = request.SetLabels.Count > 0 ? ContextLabels.Check(labels) : labels };
    }

    // An update adds no ids, and stands where the context ended; what an earlier life of the name remembers stands at 0.
    private void RequireUpdate(ContextManifest manifest, ManifestOperation done)
    {
        if (done is { Start: 0, Count: 0 } && manifest.State != ManifestStates.Deleted)
        {
            throw new GranaryException(ErrorCodes.ContextConflict, $"'{Key}' was deleted and made anew since this was asked for first.", "Read the context again and decide anew.");
        }

        if (done.Count > 0)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"Operation '{done.OperationId}' of '{Key}' was no change of expiry, pin or labels.", "Draw a new operation id for each request; keep it only where the same request is sent again.");
        }
    }

    // A hit moves the expiry on where that was asked for: beside what was asked, which neither waits for it nor fails with it.
    private void NoteHit()
    {
        if (_refresh.IsCompleted && _stored is { } stored && Lifetimes.FindRefreshed(stored.Manifest, time.GetUtcNow()) is not null)
        {
            _refresh = RefreshAsync(stored.Manifest.Incarnation);
        }
    }

    // Not one that has expired: the commit is given up when the time is over, and its fence sees to it that nobody has ended the context before.
    private async Task RefreshAsync(string incarnation)
    {
        try
        {
            using var turn = await _commitTurn.TakeAsync(_stopping.Token);
            if (_stored is not { } stored || stored.Manifest.Incarnation != incarnation || Lifetimes.FindRefreshed(stored.Manifest, time.GetUtcNow()) is not { } expires)
            {
                return;
            }

            using var patience = new CancellationTokenSource(Lifetimes.Patience(stored.Manifest, time.GetUtcNow()), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stopping.Token);
            await CommitAsync(stored.Manifest with { Expires = expires }, stored, either.Token);
        }
        catch (OperationCanceledException)
        {
            // The activation ends, or the context's time is over. Where the commit has happened, the next check sees it.
        }
        catch (Exception e) when (ErrorEdge.IsForeign(e))
        {
            Log.RefreshFailed(logger, Id, e.Message); // the next hit tries again
        }
    }
}
