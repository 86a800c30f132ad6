using System.Globalization;
using Granary.Testing.Processes;

namespace Granary.Testing.Servers;

/// <summary>A blob service of its own: Azurite on a free port of 127.0.0.1.</summary>
public sealed class AzuriteProcess : IAsyncDisposable
{
    // Azurite's published development key, no secret.
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private readonly ChildProcess _server;

    private AzuriteProcess(ChildProcess server, int port) => (_server, Port) = (server, port);

    /// <summary>Gets the port that it listens on.</summary>
    public int Port { get; }

    public string ConnectionString => ConnectionStringBy(Port);

    /// <summary>Gets the connection string of an Azurite, or of a proxy before it, on a port of 127.0.0.1.</summary>
    public static string ConnectionStringBy(int port) => string.Create(
        CultureInfo.InvariantCulture, $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;");

    /// <summary>Starts it, and waits until it listens.</summary>
    /// <param name="script">Azurite's <c>azurite-blob</c>.</param>
    /// <param name="folder">Where its blobs lie; in memory where null.</param>
    /// <param name="certificate">Speaks TLS with it, and takes bearer tokens as Azure does, but for their signature; plain HTTP where null.</param>
    /// <param name="cancellationToken">Ends the wait, and the process.</param>
    /// <exception cref="TimeoutException">It does not listen; the message has its last lines.</exception>
    /// <exception cref="InvalidOperationException">It ended; the message has its last lines.</exception>
    public static async Task<AzuriteProcess> StartAsync(string script, string? folder = null, LoopbackCertificate? certificate = null, CancellationToken cancellationToken = default)
    {
        var port = LoopbackPort.FindFree();
        // Azure.Storage.Blobs 12.30.1 speaks a version that Azurite 3.37.0 does not know: without the check's skip it answers 400.
        string[] arguments =
        [
            script, "--blobHost", "127.0.0.1", "--blobPort", port.ToString(CultureInfo.InvariantCulture), "--skipApiVersionCheck", "--silent", "--disableTelemetry",
            .. certificate is null ? (string[])[] : ["--oauth", "basic", "--cert", certificate.CertificatePath, "--key", certificate.KeyPath],
            .. folder is null ? (string[])["--inMemoryPersistence", "--extentMemoryLimit", "8192"] : ["--location", folder],
        ];
        var azurite = new AzuriteProcess(ChildProcess.Start("node", arguments), port);
        try
        {
            await LoopbackPort.WaitUntilOpenAsync(port, azurite._server, cancellationToken);
            return azurite;
        }
        catch
        {
            await azurite.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
