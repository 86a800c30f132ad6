using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Cluster.Tests.Silos;
using Granary.Contexts;
using Granary.Errors;
using Granary.Testing.Processes;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Stores;

public sealed class StoreDownTests : IAsyncDisposable
{
    private const int Failed = 1;
    private static readonly TimeSpan MostRefusal = TimeSpan.FromSeconds(30);
    private AzuriteServer? _azurite;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _azurite, null) is { } azurite)
        {
            await azurite.DisposeAsync();
        }
    }

    [Theory, InlineData("create"), InlineData("precompute"), InlineData("ask")]
    public async Task Command_StoreIsUnreachable_FailsSoonAndWritesNothing(string verb)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var store = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:{LoopbackPort.FindFree()}/devstoreaccount1;";
        string[] command = verb switch
        {
            "create" => ["context", "create", "lost", "--text", "The mill of Wesby.", "--model", "models/ledger-4m"],
            "precompute" => ["dataset", "precompute", "datasets/ledgers.jsonl", "--model", "models/ledger-4m"],
            _ => ["dataset", "ask", "ledgers", "--out", folder.GetPath("answers.jsonl")],
        };

        var started = TimeProvider.System.GetTimestamp();
        var run = await CommandRun.RunAsync([.. command, "--store", store], cancellationToken);
        var took = TimeProvider.System.GetElapsedTime(started);

        Assert.True((run.ExitCode, run.ErrorCode) == (Failed, ErrorCodes.StoreUnavailable), run.ToString());
        Assert.InRange(took, TimeSpan.Zero, MostRefusal);
        Assert.Empty(run.Output);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Root));
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Silo_StoreGoesDown_AnswersWhatIsResidentAndRefusesToCreate()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        _azurite = new AzuriteServer();
        await _azurite.InitializeAsync();
        var gateway = LoopbackPort.FindFree();
        await using var silo = await SiloProcess.StartAsync(_azurite.ConnectionString, "localhost", cancellationToken, gateway);
        await using var connection = await SiloProcess.ConnectAsync($"localhost:{gateway}", cancellationToken);
        var item = SampleItems.Take(1)[0];
        var kept = connection.Client.Context("ledger-4m", "kept");
        await CreateAsync(kept, item.Context, cancellationToken);
        var before = await kept.AskToEndAsync(SampleItems.Ask(item), cancellationToken);

        await DisposeAsync(); // the store goes down
        var started = TimeProvider.System.GetTimestamp();
        var refused = await Assert.ThrowsAsync<GranaryException>(() => CreateAsync(connection.Client.Context("ledger-4m", "lost"), item.Context, cancellationToken));
        Assert.Equal(ErrorCodes.StoreUnavailable, refused.Code);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, MostRefusal);
        var after = await kept.AskToEndAsync(SampleItems.Ask(item), cancellationToken);

        Assert.Equal(SampleItems.Bits(before), SampleItems.Bits(after));
        Assert.True(after.VersionAgeSeconds > 0, $"The answer says versionAgeSeconds {after.VersionAgeSeconds}, though the store did not answer.");
    }

    private static async Task CreateAsync(Client.IGranaryContext context, string text, CancellationToken cancellationToken)
    {
        await foreach (var _ in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfText(text) }, cancellationToken))
        {
        }
    }
}
