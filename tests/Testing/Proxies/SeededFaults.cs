namespace Granary.Testing.Proxies;

/// <summary>Faults by chance, from a fixed seed; a request that comes again meets at most two in a row, so that who tries often enough gets through.</summary>
/// <param name="seed">The seed; with requests in sequence, the same faults come again.</param>
/// <param name="share">The share of requests that meet one.</param>
public sealed class SeededFaults(int seed, double share)
{
    private const int MostInARow = 2;

    private readonly Lock _gate = new();
    private readonly Random _random = new(seed);
    private readonly Dictionary<string, int> _inARow = [];
    private readonly ProxyFault[] _faults =
    [
        ProxyFault.LostAnswer,
        ProxyFault.Late(TimeSpan.FromMilliseconds(50)),
        ProxyFault.Refusal(429, TimeSpan.Zero),
        ProxyFault.Refusal(500),
        ProxyFault.Refusal(500, acts: true),
        ProxyFault.Refusal(503),
        ProxyFault.Refusal(503, acts: true),
        ProxyFault.ResetInRequest(1),
        ProxyFault.ResetInAnswer(1),
        ProxyFault.ResetInAnswer(60_000),
    ];

    /// <summary>Gets how many requests met a fault so far.</summary>
    public int Count { get; private set; }

    /// <summary>Draws for a request.</summary>
    public ProxyFault? Draw(ProxiedRequest request)
    {
        lock (_gate)
        {
            // Azure's clients send each try of a request with the same id.
            var key = request.Headers.GetValueOrDefault("x-ms-client-request-id", $"{request.Method} {request.Target}");
            var before = _inARow.GetValueOrDefault(key);
            if (before >= MostInARow || _random.NextDouble() >= share)
            {
                _inARow.Remove(key);
                return null;
            }

            _inARow[key] = before + 1;
            Count++;
            return _faults[_random.Next(_faults.Length)];
        }
    }
}
