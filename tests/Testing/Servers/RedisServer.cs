using System.Globalization;
using Granary.Testing.Processes;
using Xunit;

namespace Granary.Testing.Servers;

/// <summary>A Redis of its own, in memory, on a free port of 127.0.0.1.</summary>
/// <remarks>An xUnit fixture. Where redis-server is missing it stays empty, and <see cref="Needs.Redis"/> skips the tests.</remarks>
public sealed class RedisServer : IAsyncLifetime
{
    private ChildProcess? _server;
    private int _port;

    /// <summary>Gets the address as <c>127.0.0.1:PORT</c>; skips the running test where redis-server is missing.</summary>
    public string Address
    {
        get
        {
            Needs.Redis();
            return $"127.0.0.1:{_port}";
        }
    }

    /// <summary>Finds redis-server, in <c>.tools/</c> or on PATH; null where there is none.</summary>
    public static string? FindExecutable()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return folders.Prepend(Repository.GetPath(".tools/redis")).Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists);
    }

    public async ValueTask InitializeAsync()
    {
        if (FindExecutable() is not { } executable)
        {
            return;
        }

        _port = LoopbackPort.FindFree();
        await StartAsync(executable);
    }

    /// <summary>Ends it at once: what it held is gone.</summary>
    public async Task KillAsync()
    {
        _server!.Kill();
        await _server.DisposeAsync();
    }

    /// <summary>Starts it again at its address, empty.</summary>
    public Task RestartAsync() => StartAsync(FindExecutable()!);

    private async Task StartAsync(string executable)
    {
        _server = ChildProcess.Start(executable, ["--bind", "127.0.0.1", "--port", _port.ToString(CultureInfo.InvariantCulture), "--save", "", "--appendonly", "no"], folder: Path.GetTempPath());
        await LoopbackPort.WaitUntilOpenAsync(_port, _server);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
