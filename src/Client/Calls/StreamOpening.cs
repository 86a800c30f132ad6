namespace Granary.Client.Calls;

/// <summary>One opening of a grain's stream, which can be left whatever it waits for.</summary>
/// <typeparam name="T">The element.</typeparam>
/// <param name="open">Opens the stream with the token that cancels it.</param>
/// <param name="cancellationToken">Ends the stream at the grain, too.</param>
internal sealed class StreamOpening<T>(Func<CancellationToken, IAsyncEnumerable<T>> open, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly CancellationTokenSource _leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private IAsyncEnumerator<T>? _elements;

    /// <summary>Gets the element.</summary>
    public T Current => _elements!.Current;

    /// <summary>Moves on to the next element; the first one opens the stream.</summary>
    public ValueTask<bool> MoveNextAsync() => (_elements ??= open(_leaving.Token).GetAsyncEnumerator(_leaving.Token)).MoveNextAsync();

    /// <summary>Leaves it while it may wait for an element. Not waited for: where its silo is gone, that takes as long as a call may.</summary>
    /// <remarks>Cancelled first: a stream that the grain has not told to have begun would not hear of its disposal, and go on.</remarks>
    public void Leave() => _ = LeaveAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (_elements is not null)
            {
                await _elements.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (CallErrors.IsTransient(e))
        {
            // The end of a stream whose silo is gone must not hide the error that ended it; the grain drops the enumerator by itself.
        }

        _leaving.Dispose();
    }

    private async Task LeaveAsync()
    {
        await _leaving.CancelAsync().ConfigureAwait(false);
        await DisposeAsync().ConfigureAwait(false);
    }
}
