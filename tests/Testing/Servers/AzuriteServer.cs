using System.Globalization;
using Granary.Testing.Processes;
using Xunit;

namespace Granary.Testing.Servers;

/// <summary>A blob service of its own, in memory: Azurite on a free port of 127.0.0.1.</summary>
/// <remarks>An xUnit fixture. Where Azurite is missing it stays empty, and <see cref="Needs.Azurite"/> skips the tests.</remarks>
public sealed class AzuriteServer : IAsyncLifetime
{
    // Azurite's published development key, no secret.
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private ChildProcess? _server;

    /// <summary>Gets the port that it listens on.</summary>
    public int Port { get; private set; }

    /// <summary>Gets the connection string; skips the running test where Azurite is missing.</summary>
    public string ConnectionString => ConnectionStringBy(Port);

    /// <summary>Gets the connection string by way of a proxy; skips the running test where Azurite is missing.</summary>
    /// <param name="port">The proxy's port on 127.0.0.1.</param>
    public static string ConnectionStringBy(int port)
    {
        Needs.Azurite();
        return $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;";
    }

    /// <summary>Finds Azurite's blob service in <c>.tools/</c>; null where it was not fetched.</summary>
    public static string? FindExecutable()
    {
        var path = Repository.GetPath(".tools/azurite/node_modules/.bin/azurite-blob");
        return File.Exists(path) ? path : null;
    }

    public async ValueTask InitializeAsync()
    {
        if (FindExecutable() is not { } script)
        {
            return;
        }

        Port = LoopbackPort.FindFree();
        // Azure.Storage.Blobs 12.30.1 speaks a version that Azurite 3.37.0 does not know: without the check's skip it answers 400.
        string[] arguments = [script, "--blobHost", "127.0.0.1", "--blobPort", Port.ToString(CultureInfo.InvariantCulture), "--inMemoryPersistence",
            "--extentMemoryLimit", "2048", "--skipApiVersionCheck", "--silent", "--disableTelemetry"];
        _server = ChildProcess.Start("node", arguments);
        await LoopbackPort.WaitUntilOpenAsync(Port, _server);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
