namespace Granary.Grains.Contexts;

/// <summary>Lets one at a time do something, in order of arrival.</summary>
internal sealed class Turn : IDisposable
{
    private readonly SemaphoreSlim _free = new(1);

    /// <summary>Waits for the turn.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The turn; dispose it at its end.</returns>
    public async Task<IDisposable> TakeAsync(CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        return this;
    }

    /// <inheritdoc/>
    public void Dispose() => _free.Release();
}
