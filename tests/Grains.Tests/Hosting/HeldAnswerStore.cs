using System.Buffers;
using Granary.Errors;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Testing.Stores;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A store that does what it is asked, and keeps the answer to one write until it is released, or loses it.</summary>
internal sealed class HeldAnswerStore(IObjectStore inner) : DelegatingStore(inner)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _prefix;
    private bool _loses;

    /// <summary>Gets when that write is done.</summary>
    public Task Reached => _reached.Task;

    /// <summary>Holds the answer to the next write of a key.</summary>
    public void Hold(string prefix, bool loses = false) => (_loses, _prefix) = (loses, prefix);

    public void Release() => _released.SetResult();

    public override async Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
    {
        var version = await base.PutAsync(key, content, precondition, cancellationToken);
        if (_prefix is not { } prefix || !key.StartsWith(prefix, StringComparison.Ordinal))
        {
            return version;
        }

        _prefix = null;
        _reached.SetResult();
        await _released.Task;
        return _loses ? throw new StorageException(ErrorCodes.StoreUnavailable, "The answer was lost.", "Read back.") : version;
    }
}
