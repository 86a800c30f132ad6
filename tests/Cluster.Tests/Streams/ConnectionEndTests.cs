using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Errors;
using Granary.Testing.Processes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;

namespace Granary.Cluster.Tests.Streams;

/// <summary>What the SDK takes for granted of Orleans, to tell a lost connection: one that was open ends without an error, one whose handshake fails ends with one.</summary>
public sealed class ConnectionEndTests
{
    private const int Callers = 16;
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(30);

    private readonly Channel<Exception?> _ends = Channel.CreateUnbounded<Exception?>();

    [Theory, Trait("Category", "Crash")]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Connection_ItsSiloEnds_EndsWithoutAnError(bool isKilled, bool duringCalls)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var port = LoopbackPort.FindFree();
        using var store = new ScratchFolder();
        await using var silo = await SiloProcess.StartAsync(store.Root, "localhost", cancellationToken, port);
        using var host = HostOf(port);
        await host.StartAsync(cancellationToken);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var client = host.Services.GetRequiredService<IGranaryClient>();
        var calls = duringCalls ? CallAsync(client, leaving.Token) : Task.CompletedTask;
        await client.ListModelsAsync(cancellationToken: cancellationToken); // the connection carries calls by now
        if (isKilled)
        {
            await silo.KillAsync(cancellationToken);
        }
        else
        {
            silo.Terminate();
        }

        Assert.Null(await FirstEndAsync(cancellationToken));
        await leaving.CancelAsync();
        await calls;
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

    // Many at once and without a pause, so that the connection always has something to write.
    private static async Task CallAsync(IGranaryClient client, CancellationToken leaving)
    {
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(async caller =>
        {
            while (!leaving.IsCancellationRequested)
            {
                try
                {
                    await client.Context("ledger-4m", $"absent{caller}").GetAsync(leaving);
                }
                catch (Exception e) when (e is GranaryException or OperationCanceledException)
                {
                }
            }
        }));
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
