using Xunit;

namespace Granary.Testing.Servers;

/// <summary>A blob service of its own, in memory: Azurite on a free port of 127.0.0.1.</summary>
/// <remarks>An xUnit fixture. Where Azurite is missing it stays empty, and <see cref="Needs.Azurite"/> skips the tests.</remarks>
public sealed class AzuriteServer : IAsyncLifetime
{
    private AzuriteProcess? _server;

    /// <summary>Gets the port that it listens on; 0 where Azurite is missing.</summary>
    public int Port => _server?.Port ?? 0;

    /// <summary>Gets the connection string; skips the running test where Azurite is missing.</summary>
    public string ConnectionString => ConnectionStringBy(Port);

    /// <summary>Gets the connection string by way of a proxy; skips the running test where Azurite is missing.</summary>
    /// <param name="port">The proxy's port on 127.0.0.1.</param>
    public static string ConnectionStringBy(int port)
    {
        Needs.Azurite();
        return AzuriteProcess.ConnectionStringBy(port);
    }

    /// <summary>Finds Azurite's blob service in <c>.tools/</c>; null where it was not fetched.</summary>
    public static string? FindExecutable()
    {
        var path = Repository.GetPath(".tools/azurite/node_modules/.bin/azurite-blob");
        return File.Exists(path) ? path : null;
    }

    public async ValueTask InitializeAsync()
    {
        if (FindExecutable() is { } script)
        {
            _server = await AzuriteProcess.StartAsync(script);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
