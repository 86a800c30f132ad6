using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Testing.Processes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;

namespace Granary.Cluster.Tests.Streams;

/// <summary>What the SDK takes for granted of Orleans, to tell a lost connection: one that was open ends without an error, one whose handshake fails ends with one.</summary>
public sealed class ConnectionEndTests
{
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(30);

    private readonly Channel<Exception?> _ends = Channel.CreateUnbounded<Exception?>();

    [Fact, Trait("Category", "Crash")]
    public async Task Connection_ItsSiloIsKilled_EndsWithoutAnError()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var port = LoopbackPort.FindFree();
        using var store = new ScratchFolder();
        await using var silo = await SiloProcess.StartAsync(store.Root, "localhost", cancellationToken, port);
        using var host = HostOf(port);
        await host.StartAsync(cancellationToken);
        await silo.KillAsync(cancellationToken);

        Assert.Null(await FirstEndAsync(cancellationToken));
        await host.StopAsync(cancellationToken);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Connection_NobodyShakesHands_EndsWithAnError(bool closes)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var host = HostOf(((IPEndPoint)listener.LocalEndpoint).Port);
        var starting = host.StartAsync(cancellationToken);
        using var accepted = await listener.AcceptSocketAsync(cancellationToken);
        if (closes)
        {
            accepted.Close();
        }

        Assert.NotNull(await FirstEndAsync(cancellationToken));
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => starting);
    }

    private Task<Exception?> FirstEndAsync(CancellationToken cancellationToken) => _ends.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(MostWait, TimeProvider.System, cancellationToken);

    private IHost HostOf(int port)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddGranaryClient(options =>
        {
            options.Cluster = $"localhost:{port}";
            options.ConnectTimeout = TimeSpan.FromSeconds(10);
        });
        builder.Services.Configure<ClientConnectionOptions>(options => options.ConfigureConnection(connections => connections.Use(next => async context =>
        {
            Exception? error = null;
            try
            {
                await next(context);
            }
            catch (Exception e)
            {
                error = e;
                throw;
            }
            finally
            {
                _ends.Writer.TryWrite(error);
            }
        })));
        return builder.Build();
    }
}
