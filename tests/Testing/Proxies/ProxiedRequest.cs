using System.Globalization;

namespace Granary.Testing.Proxies;

/// <summary>A request as the proxy saw it.</summary>
/// <param name="Method">Its method.</param>
/// <param name="Target">Its path and query, as sent.</param>
/// <param name="Headers">Its headers.</param>
/// <param name="BodyLength">The bytes of its body.</param>
public sealed record ProxiedRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers, int BodyLength)
{
    /// <summary>Gets whether it sends a block of a blob.</summary>
    public bool IsBlock => Method == "PUT" && Target.Contains("comp=block&", StringComparison.Ordinal);

    /// <summary>Gets whether it makes a blob of the blocks that were sent.</summary>
    public bool IsBlockList => Method == "PUT" && Target.Contains("comp=blocklist", StringComparison.Ordinal);

    /// <summary>Gets the first byte of the range of a blob that it reads; null where it reads none.</summary>
    public long? RangeStart =>
        Method == "GET" && Headers.GetValueOrDefault("x-ms-range") is { } range && range.StartsWith("bytes=", StringComparison.Ordinal)
            ? long.Parse(range.AsSpan(6, range.IndexOf('-', StringComparison.Ordinal) - 6), CultureInfo.InvariantCulture)
            : null;
}
