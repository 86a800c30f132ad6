namespace Granary.Grains.Residency;

/// <summary>Lets one caller at a time read or compute the page of a hash, so that pages which contexts share are made once (invariant 8).</summary>
internal sealed class PageFlights
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Flight> _flights = [];

    /// <summary>Gets the number of pages that somebody makes or waits for.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _flights.Count;
            }
        }
    }

    /// <summary>Waits until nobody else makes that page.</summary>
    /// <returns>The turn; dispose it when the page is there or has failed.</returns>
    public async Task<IDisposable> EnterAsync(string hash, CancellationToken cancellationToken)
    {
        Flight? flight;
        lock (_gate)
        {
            if (!_flights.TryGetValue(hash, out flight))
            {
                _flights[hash] = flight = new Flight(this, hash);
            }

            flight.Callers++;
        }

        try
        {
            await flight.Turn.WaitAsync(cancellationToken);
        }
        catch
        {
            Leave(flight);
            throw;
        }

        return flight;
    }

    private void Leave(Flight flight)
    {
        lock (_gate)
        {
            if (--flight.Callers == 0)
            {
                _flights.Remove(flight.Hash);
            }
        }
    }

    // Entered by one caller at a time, so that disposing it can stand for that caller's turn.
    private sealed class Flight(PageFlights flights, string hash) : IDisposable
    {
        public string Hash { get; } = hash;

        public SemaphoreSlim Turn { get; } = new(1, 1);

        public int Callers { get; set; }

        public void Dispose()
        {
            Turn.Release();
            flights.Leave(this);
        }
    }
}
