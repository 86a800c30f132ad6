using System.Net;
using System.Net.Sockets;

namespace Granary.Testing.Processes;

/// <summary>Ports on 127.0.0.1, for servers that tests start.</summary>
public static class LoopbackPort
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Finds a port that is free now; its user binds it soon.</summary>
    public static int FindFree()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Waits until <paramref name="server"/> accepts connections on <paramref name="port"/>.</summary>
    /// <exception cref="TimeoutException">It does not within 60 s; the message has its last lines.</exception>
    /// <exception cref="InvalidOperationException">It ended; the message has its last lines.</exception>
    public static async Task WaitUntilOpenAsync(int port, ChildProcess server, CancellationToken cancellationToken = default)
    {
        var (clock, limit) = (TimeProvider.System, TimeSpan.FromSeconds(60));
        for (var started = clock.GetTimestamp(); clock.GetElapsedTime(started) < limit;)
        {
            if (server.HasExited)
            {
                throw new InvalidOperationException($"The server for 127.0.0.1:{port} ended with {await server.WaitForExitAsync(cancellationToken: cancellationToken)} at its start.{server.Tail()}");
            }

            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
                return;
            }
            catch (SocketException)
            {
                // Not yet: a server says nothing when its port opens, so that asking again is the only way.
                await Task.Delay(PollInterval, clock, cancellationToken);
            }
        }

        throw new TimeoutException($"The server for 127.0.0.1:{port} did not open its port within {limit}.{server.Tail()}");
    }
}
