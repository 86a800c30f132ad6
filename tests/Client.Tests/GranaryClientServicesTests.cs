using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Granary.Errors;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Granary.Client.Tests;

/// <summary>What the start of a host says where there is no cluster: the same as <see cref="GranaryConnection.ConnectAsync"/>.</summary>
public sealed class GranaryClientServicesTests
{
    // Shorter than the pause between two attempts: the first failure is the last one.
    private static readonly TimeSpan OneAttempt = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("localhost:{0}")]
    [InlineData("redis://127.0.0.1:{0}")]
    public async Task StartAsync_NobodyListens_SaysWhatConnectAsyncSays(string form)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var refusing = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        refusing.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // and does not listen: whoever connects is refused, and nobody else gets the port
        var address = AddressOf(form, refusing.LocalEndPoint);
        using var host = HostOf(address, OneAttempt);

        var started = await Assert.ThrowsAsync<GranaryException>(() => host.StartAsync(cancellationToken));
        var connected = await Assert.ThrowsAsync<GranaryException>(() => GranaryConnection.ConnectAsync(options => Set(options, address, OneAttempt), cancellationToken: cancellationToken));

        Assert.All([started, connected], error =>
        {
            Assert.Equal(ErrorCodes.Unavailable, error.Code);
            Assert.StartsWith($"No silo of the cluster '{address}' answered within 0.5 s (", error.Message, StringComparison.Ordinal);
            Assert.Contains("granary serve", error.Remedy, StringComparison.Ordinal);
            Assert.NotNull(error.InnerException); // for logs
        });
        Assert.Equal(connected.Remedy, started.Remedy);
    }

    [Theory]
    [InlineData("localhost:{0}")]
    [InlineData("redis://127.0.0.1:{0}")]
    public async Task StartAsync_IsCancelledWhileNobodyAnswers_IsCancelled(string form)
    {
        using var cancelling = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var host = HostOf(AddressOf(form, silent.LocalEndpoint), Long);
        var starting = host.StartAsync(cancelling.Token);
        using var accepted = await silent.AcceptSocketAsync(cancelling.Token); // it is at it, and gets no answer

        await cancelling.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting.WaitAsync(MostWait, TimeProvider.System));
    }

    [Fact]
    public async Task StartAsync_OptionsAreWrong_ThrowsTheirFaults()
    {
        using var host = HostOf("nowhere", TimeSpan.Zero);

        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
        Assert.Contains("'nowhere'", error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(GranaryClientOptions.ConnectTimeout), error.Message, StringComparison.Ordinal);
    }

    private static string AddressOf(string form, EndPoint? server) => string.Format(CultureInfo.InvariantCulture, form, Assert.IsType<IPEndPoint>(server).Port);

    private static IHost HostOf(string cluster, TimeSpan connectTimeout)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddGranaryClient(options => Set(options, cluster, connectTimeout));
        return builder.Build();
    }

    private static void Set(GranaryClientOptions options, string cluster, TimeSpan connectTimeout) => (options.Cluster, options.ConnectTimeout) = (cluster, connectTimeout);
}
