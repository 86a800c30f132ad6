using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Granary.Storage.Tests.Objects;

/// <summary>One Azurite process for the tests of a class, on a free loopback port; absent where <c>./dev test</c> has not fetched it.</summary>
public sealed class Azurite : IAsyncLifetime
{
    private const string WellKnownKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="; // Azurite's, public

    private Process? _process;

    public int Port { get; private set; }

    /// <summary>Gets a connection string, or skips the test.</summary>
    public string ConnectionString
    {
        get
        {
            Assert.SkipWhen(_process is null, "Needs Azurite: ./dev test fetches it");
            return $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={WellKnownKey};BlobEndpoint=http://127.0.0.1:{Port}/devstoreaccount1";
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (FindProgram() is not { } program)
        {
            return;
        }

        Port = FreePort();
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["--blobHost", "127.0.0.1", "--blobPort", $"{Port}", "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start);
        await WaitUntilItListensAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
    }

    private async Task WaitUntilItListensAsync()
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException) when (attempt < 600 && _process is { HasExited: false })
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
    }

    private static string? FindProgram()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var program = Path.Combine(folder.FullName, ".tools", "azurite", "node_modules", ".bin", "azurite-blob");
            if (File.Exists(program))
            {
                return program;
            }
        }

        return null;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
