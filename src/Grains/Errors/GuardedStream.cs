namespace Granary.Grains.Errors;

/// <summary>A stream whose errors are translated. Not an iterator: an element would cost a turn of its activation more.</summary>
internal sealed class GuardedStream<T>(IAsyncEnumerable<T> stream) : IAsyncEnumerable<T>
{
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken) => new Enumerator(stream.GetAsyncEnumerator(cancellationToken));

    private sealed class Enumerator(IAsyncEnumerator<T> items) : IAsyncEnumerator<T>
    {
        public T Current => items.Current;

        public async ValueTask<bool> MoveNextAsync()
        {
            try
            {
                return await items.MoveNextAsync().ConfigureAwait(false); // nothing of the activation is touched here; who waits for it returns to its turn
            }
            catch (Exception e) when (ErrorEdge.IsForeign(e))
            {
                throw ErrorEdge.Translate(e);
            }
        }

        public ValueTask DisposeAsync() => items.DisposeAsync();
    }
}
