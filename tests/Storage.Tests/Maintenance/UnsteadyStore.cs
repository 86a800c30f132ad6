using System.Buffers;
using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Tests.Maintenance;

/// <summary>A store whose answers come late, and some of whose answers to changes are lost after the change was made.</summary>
internal sealed class UnsteadyStore(IObjectStore inner, int seed, double lost) : IObjectStore
{
    private readonly Random _random = new(seed);
    private readonly Lock _gate = new();

    public string Description => inner.Description;

    public Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
        ChangeAsync(() => inner.PutAsync(key, content, precondition, cancellationToken), cancellationToken);

    public Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) => ReadAsync(() => inner.FindAsync(key, cancellationToken), cancellationToken);

    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken) => ReadAsync(() => inner.HeadAsync(key, cancellationToken), cancellationToken);

    public Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        ReadAsync(() => inner.ReadAsync(key, offset, destination, cancellationToken), cancellationToken);

    public Task<bool> TouchAsync(string key, CancellationToken cancellationToken) => ChangeAsync(() => inner.TouchAsync(key, cancellationToken), cancellationToken);

    public Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) =>
        ChangeAsync(() => inner.DeleteAsync(key, precondition, cancellationToken), cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);

    private async Task<T> ReadAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        await DelayAsync(cancellationToken);
        return await call();
    }

    private async Task<T> ChangeAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        await DelayAsync(cancellationToken);
        var answer = await call();
        await DelayAsync(cancellationToken);
        return Next() < lost ? throw new StorageException(StorageErrorCodes.StoreUnavailable, "The answer was lost.", "Ask again.") : answer;
    }

    private Task DelayAsync(CancellationToken cancellationToken) => Task.Delay(TimeSpan.FromMilliseconds(4 * Next()), TimeProvider.System, cancellationToken);

    private double Next()
    {
        lock (_gate)
        {
            return _random.NextDouble();
        }
    }
}
