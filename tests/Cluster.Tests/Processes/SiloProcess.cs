using System.Globalization;
using Granary.Client;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Processes;

/// <summary>A <c>granary serve</c> of its own, set by its environment as a deployment sets it.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    private static readonly TimeSpan MostStart = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MostStop = TimeSpan.FromSeconds(20);
    private readonly ChildProcess _process;

    private SiloProcess(ChildProcess process) => _process = process;

    /// <summary>Starts a silo and waits until it has joined.</summary>
    /// <param name="store">Where it stores.</param>
    /// <param name="cluster"><c>redis://HOST:PORT/SERVICE</c>, or <c>localhost</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="gatewayPort">The clients' port; 0 takes a free one.</param>
    /// <param name="model">The one model that it serves, and its folder; the bundled one where null.</param>
    public static async Task<SiloProcess> StartAsync(
        string store, string cluster, CancellationToken cancellationToken, int gatewayPort = 0, (string Id, string Folder)? model = null)
    {
        var (id, folder) = model ?? ("ledger-4m", "models/ledger-4m");
        var process = GranaryProcess.Start(["serve", "--json"], new Dictionary<string, string?>(CommandRun.Environment)
        {
            ["Granary__Store"] = store,
            ["Granary__Cluster"] = cluster,
            ["Granary__Silo__Port"] = gatewayPort == 0 ? "0" : LoopbackPort.FindFree().ToString(CultureInfo.InvariantCulture),
            ["Granary__Silo__GatewayPort"] = gatewayPort.ToString(CultureInfo.InvariantCulture),
            [$"Granary__Models__{id}__Path"] = folder,
        });
        try
        {
            await process.WaitForLineAsync(static line => line.StartsWith("{\"event\":\"ready\"", StringComparison.Ordinal), MostStart, cancellationToken);
            return new SiloProcess(process);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Connects to a cluster as another service does.</summary>
    public static Task<GranaryConnection> ConnectAsync(string cluster, CancellationToken cancellationToken) =>
        GranaryConnection.ConnectAsync(options => options.Cluster = cluster, cancellationToken: cancellationToken);

    /// <summary>Stops it with SIGTERM and expects an orderly end.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _process.Terminate();
        var exitCode = await _process.WaitForExitAsync(MostStop, cancellationToken);
        Assert.True(exitCode == 0, $"The silo ended with {exitCode} after SIGTERM.{_process.Tail()}");
    }

    /// <summary>Ends it with SIGKILL.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await _process.WaitForExitAsync(MostStop, cancellationToken);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
