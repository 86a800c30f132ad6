using System.Globalization;
using Granary.Client;
using Granary.Testing.Processes;
using Microsoft.Extensions.Logging;

namespace Granary.Cluster.Tests.Processes;

/// <summary>A <c>granary serve</c> of its own, set by its environment as a deployment sets it.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    private const int StartNiceness = 10;
    private static readonly TimeSpan MostStart = TimeSpan.FromSeconds(60); // at the lowest priority, beside whatever else runs here
    private static readonly TimeSpan MostStop = TimeSpan.FromSeconds(20);
    private readonly ChildProcess _process;

    /// <summary>How long a client of silos with <see cref="CrashSettings"/> waits for a call.</summary>
    public static readonly TimeSpan CrashResponseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Gets the settings with which a silo that died is found out within two seconds, and its calls are given up as soon (DESIGN §5).</summary>
    public static IReadOnlyDictionary<string, string?> CrashSettings { get; } = new Dictionary<string, string?>
    {
        ["Granary__Silo__ProbeTimeout"] = "00:00:01",
        ["Granary__Silo__MissedProbes"] = "2",
        ["Granary__Silo__DeathVotes"] = "1", // of three silos, one killed and one that hangs leave one to vote
        ["Granary__Silo__MembershipRefresh"] = "00:00:05",
        ["Granary__Silo__ResponseTimeout"] = "00:00:02",
    };

    private SiloProcess(ChildProcess process) => _process = process;

    /// <summary>Starts a silo and waits until it has joined.</summary>
    /// <param name="store">Where it stores.</param>
    /// <param name="cluster"><c>redis://HOST:PORT/SERVICE</c>, or <c>localhost</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="gatewayPort">The clients' port; 0 takes a free one.</param>
    /// <param name="model">The one model that it serves, and its folder; the bundled one where null.</param>
    /// <param name="settings">More of its environment, such as <see cref="CrashSettings"/>; a null value takes a variable away.</param>
    public static async Task<SiloProcess> StartAsync(
        string store, string cluster, CancellationToken cancellationToken, int gatewayPort = 0, (string Id, string Folder)? model = null, IReadOnlyDictionary<string, string?>? settings = null)
    {
        var (id, folder) = model ?? ("ledger-4m", "models/ledger-4m");
        var environment = new Dictionary<string, string?>(CommandRun.Environment)
        {
            ["Granary__Store"] = store,
            ["Granary__Cluster"] = cluster,
            ["Granary__Silo__Port"] = gatewayPort == 0 ? "0" : LoopbackPort.FindFree().ToString(CultureInfo.InvariantCulture),
            ["Granary__Silo__GatewayPort"] = gatewayPort.ToString(CultureInfo.InvariantCulture),
            [$"Granary__Models__{id}__Path"] = folder,
        };
        foreach (var (setting, value) in settings ?? new Dictionary<string, string?>())
        {
            environment[setting] = value;
        }

        var process = GranaryProcess.Start(["serve", "--json"], environment);
        try
        {
            // In a cluster a silo starts on a machine of its own: here it would take the cores from those that answer.
            process.SetNiceness(StartNiceness);
            await process.WaitForLineAsync(static line => line.StartsWith("{\"event\":\"ready\"", StringComparison.Ordinal), MostStart, cancellationToken);
            process.SetNiceness(0);
            return new SiloProcess(process);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Connects to a cluster as another service does.</summary>
    /// <param name="cluster">Its address.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="responseTimeout">How long a call may take, and how often silos are looked for; the defaults where null.</param>
    /// <param name="logs">Gets what the client logs.</param>
    public static Task<GranaryConnection> ConnectAsync(string cluster, CancellationToken cancellationToken, TimeSpan? responseTimeout = null, ILoggerProvider? logs = null) => GranaryConnection.ConnectAsync(
        options =>
        {
            options.Cluster = cluster;
            options.ResponseTimeout = responseTimeout ?? options.ResponseTimeout;
            options.GatewayRefresh = responseTimeout ?? options.GatewayRefresh;
        },
        logging =>
        {
            if (logs is not null)
            {
                logging.AddProvider(logs);
            }
        },
        cancellationToken);

    /// <summary>Gets whether the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Tells it to stop, with SIGTERM.</summary>
    public void Terminate() => _process.Terminate();

    /// <summary>Stops it with SIGTERM and expects an orderly end.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        Terminate();
        return WaitForOrderlyEndAsync(cancellationToken);
    }

    /// <summary>Waits for its end, whatever it is.</summary>
    public Task<int> WaitForExitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(MostStop, cancellationToken);

    /// <summary>Waits for the end of a silo that was told to stop.</summary>
    public async Task WaitForOrderlyEndAsync(CancellationToken cancellationToken)
    {
        var exitCode = await _process.WaitForExitAsync(MostStop, cancellationToken);
        Assert.True(exitCode == 0, $"The silo ended with {exitCode} after it was told to stop.{_process.Tail()}");
    }

    /// <summary>Ends it with SIGKILL.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await _process.WaitForExitAsync(MostStop, cancellationToken);
    }

    /// <summary>Stops it where it is, with SIGSTOP.</summary>
    public void Pause() => _process.Pause();

    /// <summary>Lets it go on, with SIGCONT.</summary>
    public void Continue() => _process.Continue();

    /// <summary>Gets the memory that it has resident, in bytes.</summary>
    public long ResidentSetBytes => _process.ResidentSetBytes;

    /// <summary>Waits until it has ended.</summary>
    public Task<int> WaitForExitAsync(TimeSpan most, CancellationToken cancellationToken) => _process.WaitForExitAsync(most, cancellationToken);

    /// <summary>Tells the last lines that it wrote.</summary>
    public string Tail() => _process.Tail();

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
