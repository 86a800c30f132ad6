using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Testing;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Sizes before work: an estimate says what precomputing then does, and does nothing itself.</summary>
public sealed class EstimateTests : IAsyncDisposable
{
    private static readonly string Ledgers = Repository.GetPath("datasets/ledgers.jsonl");
    private static readonly string Prefix = string.Concat(Enumerable.Range(0, 40).Select(number => $"The granary of Aldwick holds {number} sacks of corn. ")); // more than a page of 256 tokens

    private readonly SharedSilo _silo = new();

    public ValueTask DisposeAsync() => _silo.DisposeAsync();

    [Fact]
    public async Task Estimate_BeforeAndAfterPrecompute_IsWhatItWritesToTheByte()
    {
        var before = await EstimateAsync(Ledgers);
        Assert.Equal(
            ["dataset", "model", "items", "failed", "tokens", "pages", "distinctPages", "storedPages", "prefillTokens", "storeBytes", "residentBytes", "seconds", "exact"],
            before.AsObject().Select(field => field.Key));
        Assert.Equal(("ledgers", "ledger-4m", 24, 0, true), ((string?)before["dataset"], (string?)before["model"], (int?)before["items"], (int?)before["failed"], (bool?)before["exact"]));
        Assert.Equal((0L, 0L), (Number(before, "storedPages"), ChunkBytes()));
        Assert.InRange((double?)before["seconds"] ?? -1, 1e-3, 600);
        Assert.All(Workplace.Objects(_silo.Place.Store), static key => Assert.StartsWith("models/", key, StringComparison.Ordinal)); // which a silo that serves the model enters

        var computed = (await RunAsync("dataset", "precompute", Ledgers)).Succeeded().Result;
        Assert.Equal((Number(computed, "prefilledTokens"), ChunkBytes()), (Number(before, "prefillTokens"), Number(before, "storeBytes")));
        var objects = Workplace.Objects(_silo.Place.Store);

        var after = await EstimateAsync(Ledgers);
        Assert.Equal((0L, 0L, 0.0), (Number(after, "prefillTokens"), Number(after, "storeBytes"), (double?)after["seconds"]));
        Assert.Equal(Number(after, "distinctPages"), Number(after, "storedPages"));
        foreach (var same in new[] { "tokens", "pages", "distinctPages", "residentBytes" })
        {
            Assert.Equal(Number(before, same), Number(after, same));
        }

        Assert.Equal(objects, Workplace.Objects(_silo.Place.Store));
    }

    [Fact]
    public async Task Estimate_ItemsThatShareAPrefix_CountItsPagesOnce()
    {
        var first = Items("first.jsonl", ("a", Prefix + "Clara is the mayor."));
        var both = Items("both.jsonl", ("a", Prefix + "Clara is the mayor."), ("b", Prefix + "Hugo is the miller."));
        var estimate = await EstimateAsync(both);
        var alone = await EstimateAsync(first);
        Assert.True(Number(estimate, "distinctPages") < Number(estimate, "pages"));
        Assert.True(Number(estimate, "prefillTokens") < Number(estimate, "tokens"));

        (await RunAsync("dataset", "precompute", first)).Succeeded();
        var rest = await EstimateAsync(both);

        Assert.Equal(Number(alone, "distinctPages"), Number(rest, "storedPages"));
        Assert.Equal(Number(estimate, "storeBytes") - Number(alone, "storeBytes"), Number(rest, "storeBytes"));
        (await RunAsync("dataset", "precompute", both, "--name", "both")).Succeeded();
        Assert.Equal(Number(estimate, "storeBytes"), ChunkBytes());
    }

    [Fact, Trait("Invariant", "1")]
    public async Task Estimate_AChunkIsCutShort_CountsItAsPrecomputeRepairsIt()
    {
        var file = Items("cut.jsonl", ("a", Prefix));
        (await _silo.Place.RunAsync("dataset", "precompute", file, "--model", Workplace.SampleModel, "--store", _silo.Place.Store, "--json")).Succeeded(); // its silo, and what that holds in memory, end with it
        var (last, lastBytes) = ChunkFiles().Select(static chunk => (chunk, chunk.Length)).MinBy(static chunk => chunk.Length);
        using (var chunk = last.OpenWrite())
        {
            chunk.SetLength(lastBytes - 1);
        }

        var estimate = (await RunAsync("dataset", "estimate", file, "--name", "again")).Succeeded().Result;
        Assert.Equal((2L, 1L, lastBytes), (Number(estimate, "distinctPages"), Number(estimate, "storedPages"), Number(estimate, "storeBytes")));
        Assert.Equal(lastBytes - 1, ChunkFiles().Min(static chunk => chunk.Length)); // an estimate repairs nothing
        Assert.Equal(0, Number(await EstimateAsync(file), "storeBytes")); // under its own name precomputing finds it stored, and looks no further

        var computed = (await RunAsync("dataset", "precompute", file, "--name", "again")).Succeeded().Result;
        Assert.Equal(Number(computed, "prefilledTokens"), Number(estimate, "prefillTokens"));
        Assert.Equal(lastBytes, ChunkFiles().Min(static chunk => chunk.Length));
        Assert.Equal(0, Number(await EstimateAsync(file), "storeBytes"));
    }

    [Fact]
    public async Task Estimate_OfSquad_IsThatOfTheSameContexts()
    {
        var squad = _silo.Place.Write("squad.json", JsonSerializer.Serialize(new { data = new[] { new { title = "t", paragraphs = new[] { new { context = Prefix }, new { context = "Short." } } } } }));
        var lines = Items("lines.jsonl", ("a", Prefix), ("b", "Short."));

        var (ofSquad, ofLines) = ((await EstimateAsync(squad)).AsObject(), (await EstimateAsync(lines)).AsObject());

        Assert.Equal(2, Number(ofSquad, "items"));
        foreach (var same in new[] { "items", "failed", "tokens", "pages", "distinctPages", "prefillTokens", "storeBytes", "residentBytes" })
        {
            Assert.Equal(Number(ofLines, same), Number(ofSquad, same));
        }
    }

    [Fact]
    public async Task Estimate_OfOneContext_HoldsWhatSizeSays()
    {
        var estimate = await EstimateAsync(Items("one.jsonl", ("a", Prefix)));
        var size = (await _silo.RunAsync("size", Workplace.SampleModel, "--sequence-length", $"{Number(estimate, "tokens")}", "--examples", "1")).Succeeded().Result;

        Assert.Equal(Number(size[0]!, "bytesPerExample"), Number(estimate, "residentBytes"));
        Assert.InRange(Number(estimate, "storeBytes") / (double)Number(estimate, "residentBytes"), 1, 1.02); // and headers, and token ids
    }

    [Fact]
    public async Task Estimate_ItemsThatWouldFail_AreToldAndTheOthersCount()
    {
        var file = Items("bad.jsonl", ("long", string.Concat(Enumerable.Repeat(Prefix, 20))), ("", Prefix), ("good", Prefix), (new string('x', 128), Prefix), ("empty", ""));
        File.AppendAllText(file, "no json\n");

        var run = await RunAsync("dataset", "estimate", file);

        Assert.Equal((1, "DatasetInvalid"), (run.ExitCode, run.Error.Code));
        Assert.Equal((6L, 4L), (Number(run.Result, "items"), Number(run.Result, "failed")));
        Assert.All(["long", "'empty' is empty", "line 6"], named => Assert.Contains(named, run.Error.Message, StringComparison.Ordinal));
        var computed = await RunAsync("dataset", "precompute", file);
        Assert.Equal(Number(computed.Result, "failed"), Number(run.Result, "failed"));
        Assert.Equal((Number(computed.Result, "prefilledTokens"), ChunkBytes()), (Number(run.Result, "prefillTokens"), Number(run.Result, "storeBytes")));
    }

    [Fact]
    public async Task Estimate_OfContextsThatExist_SaysWhatPrecomputingFinds()
    {
        (await RunAsync("dataset", "precompute", Items("old.jsonl", ("a", Prefix), ("b", "Hugo is the miller.")))).Succeeded();
        var changed = Items("changed.jsonl", ("a", Prefix), ("b", "Clara is the miller."), ("c", "Hugo is the miller."));

        var estimate = await RunAsync("dataset", "estimate", changed, "--name", "old");

        Assert.Equal((3L, 1L), (Number(estimate.Result, "items"), Number(estimate.Result, "failed")));
        Assert.Contains("exists with other token ids", estimate.Error.Message, StringComparison.Ordinal);
        var computed = await RunAsync("dataset", "precompute", changed, "--name", "old");
        Assert.Equal((1L, 0L), (Number(computed.Result, "failed"), Number(computed.Result, "prefilledTokens")));
        Assert.Equal((0L, 0L), (Number(estimate.Result, "prefillTokens"), Number(estimate.Result, "storeBytes"))); // the third's page is the second's, which is stored
    }

    [Fact]
    public async Task Estimate_Stream_TellsEachContext()
    {
        var lines = (await RunAsync("dataset", "estimate", Ledgers, "--stream")).Succeeded().Output.TrimEnd('\n').Split('\n');
        Assert.Equal(24, lines.Length);
        Assert.Equal("""{"event":"progress","dataset":"ledgers","items":24,"done":1,"failed":0}""", lines[0]);
    }

    [Fact]
    public async Task Estimate_BadInput_IsRefusedAsPrecomputeRefusesIt()
    {
        (await RunAsync("dataset", "estimate", _silo.Place.Path("none.jsonl"))).Refused(3, "FileNotFound", "none.jsonl");
        (await RunAsync("dataset", "estimate", _silo.Place.Write("empty.jsonl", "\n"))).Refused(2, "EmptyInput", "empty.jsonl");
        (await _silo.RunAsync("dataset", "estimate", Ledgers, "--model", "nobody")).Refused(3, "ModelNotFound", "nobody");
        (await RunAsync("dataset", "estimate", Ledgers, "--name", ".hidden")).Refused(2, "InvalidName", ".hidden");
        (await RunAsync("dataset", "estimate", Ledgers, "--tenant", "shared")).Refused(2, "InvalidName", "shared");
    }

    private static long Number(JsonNode document, string field) => (long?)document[field] ?? throw new InvalidOperationException($"No {field}: {document.ToJsonString()}");

    private string Items(string name, params ReadOnlySpan<(string Id, string Context)> items)
    {
        var lines = new List<string>();
        foreach (var (id, context) in items)
        {
            lines.Add(JsonSerializer.Serialize(new { id, context }) + "\n");
        }

        return _silo.Place.Write(name, string.Concat(lines));
    }

    private long ChunkBytes() => ChunkFiles().Sum(static file => file.Length);

    private FileInfo[] ChunkFiles()
    {
        var folder = Path.Combine(_silo.Place.Store, "chunks");
        return Directory.Exists(folder) ? new DirectoryInfo(folder).GetFiles("*", SearchOption.AllDirectories) : [];
    }

    private async Task<JsonNode> EstimateAsync(string file) => (await RunAsync("dataset", "estimate", file)).Succeeded().Result;

    private Task<CommandRun> RunAsync(params string[] arguments) => _silo.RunAsync([.. arguments, "--model", Workplace.SampleModel]);
}
