using System.Diagnostics.CodeAnalysis;

namespace Granary.Client.Connection;

/// <summary>Where a cluster is found.</summary>
/// <param name="Host">The Redis host; <see langword="null"/> for a gateway on this machine.</param>
/// <param name="Port">Redis's port, or the gateway's.</param>
/// <param name="Service">The service's id; <see langword="null"/> for the options' own.</param>
internal sealed record ClusterAddress(string? Host, int Port, string? Service)
{
    /// <summary>The accepted forms, for messages.</summary>
    public const string Forms = "Give redis://HOST:PORT[/SERVICE] or localhost:GATEWAY_PORT.";

    private const int RedisPort = 6379;

    /// <summary>Parses an address.</summary>
    /// <param name="text">The text.</param>
    /// <param name="address">The address.</param>
    /// <returns>Whether it has one of the two forms.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ClusterAddress? address)
    {
        address = null;
        if (text?.StartsWith("localhost:", StringComparison.Ordinal) == true)
        {
            address = ushort.TryParse(text.AsSpan("localhost:".Length), out var gateway) && gateway > 0 ? new ClusterAddress(null, gateway, null) : null;
        }
        else if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == "redis" && uri.Host.Length > 0 && uri.Query.Length == 0 && uri.UserInfo.Length == 0)
        {
            var service = Uri.UnescapeDataString(uri.AbsolutePath.Trim('/'));
            address = service.Contains('/', StringComparison.Ordinal)
                ? null
                : new ClusterAddress(uri.Host, uri.Port > 0 ? uri.Port : RedisPort, service.Length == 0 ? null : service);
        }

        return address is not null;
    }
}
