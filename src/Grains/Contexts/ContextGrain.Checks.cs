using Granary.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    // A zombie is stale for at most this long, while the store answers (invariant 4).
    private static readonly TimeSpan MostManifestAge = TimeSpan.FromSeconds(1);

    // A store that says nothing for this long does not answer: what was checked last is served. A call without a stream must end within 5 s.
    private static readonly TimeSpan MostCheckWait = TimeSpan.FromSeconds(2);

    private long? _checked;
    private TimeSpan? _uncheckedFor;
    private Task<StorageException?> _check = Task.FromResult<StorageException?>(null);
    private long _checkBegan;
    private Task _slowCheck = Task.CompletedTask;

    private bool IsChecked => _checked is { } last && time.GetElapsedTime(last) < MostManifestAge;

    // The manifest as last checked; checked again where that is too old (invariant 4).
    private async Task<StoredManifest?> LoadAsync(CancellationToken cancellationToken, bool fresh = false)
    {
        if (!fresh && IsChecked)
        {
            return Alive(_stored);
        }

        if (fresh || _checked is null || _stored is null)
        {
            // There is nothing else to go by: it takes as long as the store's own bounds.
            await ReadManifestAsync(null, cancellationToken);
        }
        else if (await JoinCheckAsync(cancellationToken) is { } silence && !IsChecked)
        {
            // Where another's commit was met meanwhile, what was checked last is known to be the past.
            _uncheckedFor = time.GetElapsedTime(_checked ?? throw silence);
            Log.ServedUnchecked(logger, Id, _uncheckedFor.Value.TotalSeconds, silence.Message);
        }

        return Alive(_stored);
    }

    // Returns why it is not known whether the manifest is still what it was; throws what a store that answers has to say against it.
    private async Task<StorageException?> JoinCheckAsync(CancellationToken cancellationToken)
    {
        // One check serves all asks that come within the age that a finished one may have. The first that meets silence is left to run on, beside the
        // next ones: a store that takes longer than asks wait is slow, and what it says late is heard all the same. So at most three are under way.
        if (_check.IsCompleted || time.GetElapsedTime(_checkBegan) >= MostManifestAge)
        {
            var runsOn = _slowCheck.IsCompleted;
            _checkBegan = time.GetTimestamp();
            _check = CheckAsync(runsOn ? Timeout.InfiniteTimeSpan : MostCheckWait);
            _slowCheck = runsOn ? _check : _slowCheck;
        }

        try
        {
            var fault = await _check.WaitAsync(MostCheckWait, time, cancellationToken);
            return fault is null || fault.Code == ErrorCodes.StoreUnavailable ? fault : throw fault;
        }
        catch (TimeoutException)
        {
            return NoAnswer();
        }
    }

    // Fails by its result alone: it may end when nobody waits for it any more.
    private async Task<StorageException?> CheckAsync(TimeSpan limit)
    {
        using var patience = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stopping.Token);
        try
        {
            await ReadManifestAsync(_stored, either.Token);
            return null;
        }
        catch (StorageException e)
        {
            return e;
        }
        catch (OperationCanceledException)
        {
            return NoAnswer();
        }
    }

    // Token ids that are known already are not fetched again each second.
    private async Task ReadManifestAsync(StoredManifest? known, CancellationToken cancellationToken)
    {
        var id = Id;
        var (asked, commits) = (time.GetTimestamp(), _commits);
        var found = await manifests.FindAsync(id.Tenant, id.Model, id.Name, known, cancellationToken);

        // A read that began before a commit of this activation, or before a read that has ended, may have seen what was there before it.
        if (commits == _commits && !(_checked > asked))
        {
            Adopt(found, asked);
        }
    }

    private static StorageException NoAnswer() => new(
        ErrorCodes.StoreUnavailable,
        $"The store has said nothing for {MostCheckWait.TotalSeconds:F0} s.",
        "Check the network, and whether the store runs; contexts that are resident go on being served.");
}
