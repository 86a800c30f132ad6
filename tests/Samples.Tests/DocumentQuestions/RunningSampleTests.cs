using System.Net;
using Granary.Testing;
using Granary.Testing.Processes;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>The program as its README starts it, its settings file included.</summary>
public sealed class RunningSampleTests : IDisposable
{
    private readonly string _store = Directory.CreateTempSubdirectory("granary-running-sample-").FullName;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Fact]
    public async Task Program_WithoutACluster_AnswersOnTheBundledModel()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var program = Repository.GetPath("samples/DocumentQuestions/bin/Release/net10.0/linux-x64/Granary.DocumentQuestions");
        var environment = new Dictionary<string, string?> { ["Granary__Store"] = _store, ["Granary__Cluster"] = null };
        await using var process = ChildProcess.Start(program, ["--urls", "http://127.0.0.1:0"], environment, Repository.GetPath("samples/DocumentQuestions"));
        var listening = await process.WaitForLineAsync(line => line.Contains("Now listening on:", StringComparison.Ordinal), cancellationToken: cancellationToken);
        using var http = new HttpClient { BaseAddress = new Uri(listening[listening.IndexOf("http://", StringComparison.Ordinal)..]) };

        using var content = new StringContent("The herd of Kelwick is horses they say. The miller of Wesby is Nils since the flood.");
        using var uploaded = await http.PostAsync(new Uri("/documents/village", UriKind.Relative), content, cancellationToken);
        using var response = await http.AskAsync("village", "What is the miller of Wesby?", cancellationToken);
        var events = await response.ReadEventsAsync().ToListAsync(cancellationToken);

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (uploaded.StatusCode, response.StatusCode));
        Assert.True(events.Count > 2, $"The answer came in {events.Count} events.");
        Assert.Equal("end", events[^1].Kind);
    }
}
