using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Granary.Bench.Peers;

namespace Granary.Bench.Storage;

/// <summary>A blob service of its own: Azurite on a free port of 127.0.0.1, with its blobs in a folder.</summary>
internal sealed class AzuriteProcess : IAsyncDisposable
{
    // Azurite's published development key, no secret.
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private const int MostTries = 300;
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(100);
    private readonly Process _process;
    private readonly int _port;

    private AzuriteProcess(Process process, int port) => (_process, _port) = (process, port);

    public string ConnectionString =>
        string.Create(CultureInfo.InvariantCulture, $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={Key};BlobEndpoint=http://127.0.0.1:{_port}/devstoreaccount1;");

    /// <summary>Starts it, and waits until it listens.</summary>
    /// <param name="script">Azurite's <c>azurite-blob</c>.</param>
    /// <param name="folder">Where its blobs lie.</param>
    /// <param name="cancellationToken">Ends the wait, and the process.</param>
    /// <exception cref="BenchException">It does not listen within 30 seconds.</exception>
    public static async Task<AzuriteProcess> StartAsync(string script, string folder, CancellationToken cancellationToken)
    {
        var port = FindFreePort();
        string[] arguments =
        [
            script, "--blobHost", "127.0.0.1", "--blobPort", port.ToString(CultureInfo.InvariantCulture), "--location", folder,
            "--skipApiVersionCheck", "--silent", "--disableTelemetry",
        ];
        var start = new ProcessStartInfo("node", arguments) { RedirectStandardOutput = true };
        var azurite = new AzuriteProcess(Process.Start(start) ?? throw new BenchException("'node' cannot be started."), port);
        azurite._process.BeginOutputReadLine(); // it greets, and standard output is the report's
        try
        {
            for (var attempt = 0; attempt < MostTries; attempt++)
            {
                if (await ListensAsync(port, cancellationToken))
                {
                    return azurite;
                }

                await Task.Delay(BetweenTries, TimeProvider.System, cancellationToken);
            }

            throw new BenchException($"Azurite at {script} does not listen.");
        }
        catch
        {
            await azurite.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
    }

    private static async Task<bool> ListensAsync(int port, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FindFreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
