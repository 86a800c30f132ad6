using System.Buffers;
using Granary.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Testing.Stores;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A store that goes down: it refuses every call, or takes it and says nothing until the outage ends or the caller leaves, or answers calls for manifests late.</summary>
internal sealed class OutageStore(IObjectStore inner) : DelegatingStore(inner)
{
    private TaskCompletionSource? _silence;
    private int _calls;

    public bool IsRefusing { get; set; }

    /// <summary>Gets or sets how late calls for manifests are answered.</summary>
    public TimeSpan Lateness { get; set; }

    /// <summary>Gets how many calls met an outage.</summary>
    public int Calls => Volatile.Read(ref _calls);

    public void BeginSilence() => _silence = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void End()
    {
        (IsRefusing, Lateness) = (false, TimeSpan.Zero);
        Interlocked.Exchange(ref _silence, null)?.SetResult();
    }

    public override async Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
    {
        await MeetAsync(key, cancellationToken);
        return await base.PutAsync(key, content, precondition, cancellationToken);
    }

    public override async Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken)
    {
        await MeetAsync(key, cancellationToken);
        return await base.FindAsync(key, cancellationToken);
    }

    public override async Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken)
    {
        await MeetAsync(key, cancellationToken);
        return await base.HeadAsync(key, cancellationToken);
    }

    public override async Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        await MeetAsync(key, cancellationToken);
        return await base.ReadAsync(key, offset, destination, cancellationToken);
    }

    public override async Task<bool> TouchAsync(string key, CancellationToken cancellationToken)
    {
        await MeetAsync(key, cancellationToken);
        return await base.TouchAsync(key, cancellationToken);
    }

    private async Task MeetAsync(string key, CancellationToken cancellationToken)
    {
        var silence = _silence;
        if (!IsRefusing && silence is null && Lateness == TimeSpan.Zero)
        {
            return;
        }

        Interlocked.Increment(ref _calls);
        if (IsRefusing)
        {
            throw new StorageException(ErrorCodes.StoreUnavailable, "The store refuses connections.", "End the test's outage.");
        }

        if (silence is not null)
        {
            await silence.Task.WaitAsync(cancellationToken);
        }
        else if (key.StartsWith("contexts/", StringComparison.Ordinal))
        {
            await Task.Delay(Lateness, TimeProvider.System, cancellationToken);
        }
    }
}
