using System.Net;
using Granary.Testing.Processes;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>The sample with a process boundary in it: the program by itself, and the service on a silo's process.</summary>
public sealed class RunningSampleTests : IDisposable
{
    private const string Question = "What is the miller of Wesby?";
    private readonly string _store = Directory.CreateTempSubdirectory("granary-running-sample-").FullName;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Fact]
    public async Task Program_WithoutACluster_AnswersOnTheBundledModel()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var environment = new Dictionary<string, string?> { ["Granary__Store"] = _store, ["Granary__Cluster"] = null };
        await using var process = ChildProcess.Start(Path.Combine(AppContext.BaseDirectory, "Granary.DocumentQuestions"), ["--urls", "http://127.0.0.1:0"], environment, _store);
        var listening = await process.WaitForLineAsync(line => line.Contains("Now listening on:", StringComparison.Ordinal), cancellationToken: cancellationToken);
        using var http = new HttpClient { BaseAddress = new Uri(listening[listening.IndexOf("http://", StringComparison.Ordinal)..]) };

        Assert.Contains("Nils", await UploadAndAskAsync(http), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Service_OnACluster_AnswersAsTheEmbeddedSiloDoes()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (gateway, port) = (LoopbackPort.FindFree(), LoopbackPort.FindFree());
        await using var silo = GranaryProcess.Start(["serve", "--json"], new Dictionary<string, string?>
        {
            ["Granary__Store"] = Path.Combine(_store, "cluster"),
            ["Granary__Cluster"] = "localhost",
            ["Granary__Silo__Port"] = $"{port}",
            ["Granary__Silo__GatewayPort"] = $"{gateway}",
            ["Granary__Models__ledger-4m__Path"] = "models/ledger-4m",
        });
        await silo.WaitForLineAsync(line => line.StartsWith("{\"event\":\"ready\"", StringComparison.Ordinal), cancellationToken: cancellationToken);

        await using var onCluster = await ServedSample.StartOnClusterAsync($"localhost:{gateway}", cancellationToken);
        await using var embedded = await ServedSample.StartEmbeddedAsync(Path.Combine(_store, "embedded"), cancellationToken);

        Assert.Equal(await UploadAndAskAsync(embedded.Http), await UploadAndAskAsync(onCluster.Http));
    }

    private static async Task<string> UploadAndAskAsync(HttpClient http)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var content = new StringContent("The herd of Kelwick is horses they say. The miller of Wesby is Nils since the flood.");
        using var uploaded = await http.PostAsync(new Uri("/documents/village", UriKind.Relative), content, cancellationToken);
        Assert.Equal(HttpStatusCode.Created, uploaded.StatusCode);
        using var response = await http.AskAsync("village", Question, cancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var events = await response.ReadEventsAsync().ToListAsync(cancellationToken);

        Assert.Equal("end", events[^1].Kind);
        return string.Concat(events.SkipLast(1).Select(e => e.Data.TextOf("text")));
    }
}
