using Granary.Testing.Processes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Stores that cannot be reached, are full or read-only.</summary>
public sealed class BadStoreTests : IDisposable
{
    private const string ClosedPort = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;";
    private static readonly string Ids = string.Join(',', Enumerable.Range(0, 700).Select(index => index % 100)); // 1,076,000 bytes of KV
    private static readonly string Model = Workplace.Model("quarter-rotary");
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task Store_ThatIsAFile_IsUnavailable() =>
        (await CreateAsync("a", _place.Write("file", "grain"))).Refused(1, "StoreUnavailable", _place.Path("file"));

    [Fact]
    public async Task Store_AtAClosedPort_IsUnavailableAndItsKeyIsNotShown() =>
        Assert.DoesNotContain("Eby8", (await CreateAsync("a", ClosedPort)).Refused(1, "StoreUnavailable", "127.0.0.1:9").Errors, StringComparison.Ordinal);

    [Fact, Trait("Invariant", "2")]
    public async Task Store_FullThenReadOnly_IsRefusedWithoutAcknowledgementAndWorksAfterwards()
    {
        var mount = _place.Path("small");
        Directory.CreateDirectory(mount);
        Assert.SkipUnless(await RunAsync("mount", "-t", "tmpfs", "-o", "size=800k", "granary-test", mount), "Needs=root: mounting a tmpfs is refused here.");
        try
        {
            var store = Path.Combine(mount, "store");
            (await CreateAsync("big", store)).Refused(1, "StoreFull", store);
            var left = (await _place.RunAsync("context", "list", "--store", store, "--json")).Succeeded().Result.AsArray();
            Assert.DoesNotContain(left, context => (string?)context?["state"] == "stored");
            Assert.DoesNotContain(Workplace.Objects(store), path => path.StartsWith(".tmp", StringComparison.Ordinal));

            Assert.True(await RunAsync("mount", "-o", "remount,size=8m", mount));
            Assert.Equal("stored", (string?)(await CreateAsync("big", store)).Succeeded().Result["state"]);

            Assert.True(await RunAsync("mount", "-o", "remount,ro", mount));
            (await CreateAsync("other", store, "1,2,3")).Refused(1, "StoreReadOnly", store);
            var answer = (await _place.RunAsync("context", "ask", "big", "--tokens", "1", "--max-new-tokens", "2", "--model", Model, "--store", store, "--json")).Succeeded().Result;
            Assert.Equal(700, (int?)answer["usage"]?["restoredTokens"]); // what is stored goes on answering
        }
        finally
        {
            await RunAsync("umount", mount);
        }
    }

    private Task<CommandRun> CreateAsync(string name, string store, string? ids = null) =>
        _place.RunAsync("context", "create", name, "--model", Model, "--tokens", ids ?? Ids, "--store", store, "--json");

    private static async Task<bool> RunAsync(string file, params string[] arguments)
    {
        await using var process = ChildProcess.Start(file, arguments);
        return await process.WaitForExitAsync() == 0;
    }
}
