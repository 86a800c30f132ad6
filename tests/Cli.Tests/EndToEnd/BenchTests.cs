using System.Text.Json.Nodes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary><c>granary bench engine</c> and <c>bench store</c> on the bundled model. No test reads a time: only that each was taken.</summary>
public sealed class BenchTests : IDisposable
{
    private static readonly string[] Small = ["--rounds", "2", "--steps", "3", "--threads", "1"];
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task Engine_Json_IsOneDocumentWithEverySample()
    {
        var run = (await RunAsync("--prefill", "100,300", "--contexts", "20,2048", "--batches", "1,3", "--json", "--model-id", "mine")).Succeeded();
        var result = run.Result;
        Assert.Single(run.Output.TrimEnd('\n').Split('\n'));
        Assert.Equal(
            ["started", "machine", "model", "dtype", "threads", "rounds", "steps", "numerics", "exact", "readBytesPerSecond", "gemmFlopsPerSecond", "selfTestSeconds", "rows", "leftOut"],
            result.AsObject().Select(field => field.Key));
        Assert.Equal(["cpu", "processors", "loadBefore", "loadAfter"], result["machine"]?.AsObject().Select(field => field.Key));
        Assert.Equal(("mine", "float32", 1, 2, 3), ((string?)result["model"], (string?)result["dtype"], (int?)result["threads"], (int?)result["rounds"], (int?)result["steps"]));
        Assert.Equal(32, ((string?)result["numerics"])?.Length);
        Assert.Equal(
            ["load 0 1 false", "first-load 0 1 false", "prefill 100 1 false", "prefill 300 1 false", "one-step 300 1 false", "decode 20 1 false", "decode 20 3 false", "decode 1500 16 true", "decode 1500 16 false"],
            Rows(result["rows"]));
        Assert.All(List(result["rows"]), row =>
        {
            Assert.Equal(["work", "tokens", "asks", "shared", "seconds", "floorSeconds", "floor", "ratio"], row.AsObject().Select(field => field.Key));
            AssertSamples(row["seconds"]);
            AssertSamples(row["floorSeconds"]);
            Assert.True((double?)row["ratio"]?["minima"] > 0 && (double?)row["ratio"]?["medians"] > 0);
        });
        AssertSamples(result["readBytesPerSecond"]);
        AssertSamples(result["gemmFlopsPerSecond"]);
        AssertSamples(result["selfTestSeconds"]);

        // A page is one step anyway; 2,048 tokens and an answer are more than the window.
        Assert.Equal(["one-step 100 1 false", "decode 2048 1 false", "decode 2048 3 false"], Rows(result["leftOut"]));
        Assert.Contains("2048", (string?)List(result["leftOut"])[1]["reason"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Engine_WithoutJson_IsATable()
    {
        var run = await RunAsync("--prefill", "64", "--contexts", "16,4096", "--batches", "2", "--works", "prefill,decode", "--dtype", "bfloat16");
        Assert.True(run.ExitCode == 0, run.Errors);
        var lines = run.Output.TrimEnd('\n').Split('\n');
        Assert.StartsWith("ledger-4m-bfloat16, bfloat16, 1 threads on ", lines[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.StartsWith("prefill, 64 tokens ", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("decode step, 2 asks, contexts 16 ", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Contains("one step", StringComparison.Ordinal) || line.Contains("16 asks", StringComparison.Ordinal));
        Assert.StartsWith("left out: decode step, 2 asks, contexts 4096. ", lines[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "InvalidArgument", "'x'", "--prefill", "64,x")]
    [InlineData(2, "InvalidArgument", "'0'", "--contexts", "0")]
    [InlineData(2, "InvalidArgument", "''", "--batches", "1,,2")]
    [InlineData(2, "InvalidArgument", "''", "--batches", "")]
    [InlineData(2, "InvalidArgument", "'-1'", "--batches=-1")]
    [InlineData(2, "InvalidArgument", "'fly'", "--works", "prefill,fly")]
    [InlineData(2, "InvalidArgument", "--rounds is 0", "--rounds", "0")]
    [InlineData(2, "InvalidArgument", "--steps is -3", "--steps=-3")]
    [InlineData(2, "InvalidArgument", "--threads is 0", "--threads", "0")]
    [InlineData(4, "RequestTooLarge", "GB", "--contexts", "2000", "--batches", "65536")]
    public async Task Engine_BadSizes_AreRefused(int exitCode, string code, string named, params string[] arguments) =>
        (await _place.RunAsync(["bench", "engine", Workplace.SampleModel, "--json", .. arguments])).Refused(exitCode, code, named);

    [Fact]
    public async Task Engine_NoSuchModel_IsRefused() =>
        (await _place.RunAsync("bench", "engine", "/no/such/folder", "--json")).Refused(3, "ModelNotFound", "/no/such/folder");

    [Fact]
    public async Task Store_Json_IsOneDocumentWithBothCodecs()
    {
        var run = (await StoreAsync("--contexts", "2", "--max-new-tokens", "4", "--json")).Succeeded();
        var result = run.Result;
        Assert.Equal(["started", "machine", "model", "dataset", "contexts", "leftOut", "answers", "maxNewTokens", "codecs"], result.AsObject().Select(field => field.Key));
        Assert.Equal(("ledger-4m", "ledgers.jsonl", 2, 0, 4), ((string?)result["model"], (string?)result["dataset"], (int?)result["contexts"], (int?)result["leftOut"], (int?)result["maxNewTokens"]));
        var (none, half) = (List(result["codecs"])[0], List(result["codecs"])[1]);
        Assert.Equal(("none", "bfloat16"), ((string?)none["codec"], (string?)half["codec"]));
        Assert.Equal((long?)none["storedBytes"], 2 * (long?)half["storedBytes"]);
        Assert.Equal(4 * (int?)result["answers"], (int?)half["tokens"]);
        Assert.All((string[])["roundBytesPerSecond", "encodeBytesPerSecond", "decodeBytesPerSecond"], rate =>
        {
            Assert.Null(none[rate]);
            Assert.True((double?)half[rate] > 0);
        });
        Assert.Equal(0, (double?)none["largestLogitDifference"]);
        Assert.InRange((double)half["largestLogitDifference"]!, 1e-6, 1); // rounding to 8 bits moves every logit, and none far
        Assert.InRange((int)half["changedTokens"]!, 0, (int)half["tokens"]! / 2);
    }

    [Fact]
    public async Task Store_WithoutJson_IsATable()
    {
        var run = await StoreAsync("--contexts", "1", "--max-new-tokens", "2");
        Assert.True(run.ExitCode == 0, run.Errors);
        var lines = run.Output.TrimEnd('\n').Split('\n');
        Assert.StartsWith("ledger-4m, ledgers.jsonl: 1 contexts (0 left out), ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("bfloat16 ", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Store_ContextsBeyondTheWindow_AreLeftOut()
    {
        var file = Path.Combine(_place.Folder, "long.jsonl");
        await File.WriteAllLinesAsync(
            file,
            [
                $$"""{"id":"long","context":"{{string.Concat(Enumerable.Repeat("one two ", 3000))}}","questions":[{"id":"q","question":"How long?","answers":[]}]}""",
                """{"id":"short","context":"A barn holds seven horses.","questions":[{"id":"q","question":" How many?","answers":[]}]}""",
            ],
            TestContext.Current.CancellationToken);

        var result = (await StoreAsync("--dataset", file, "--json")).Succeeded().Result;

        Assert.Equal((1, 1, 1), ((int?)result["contexts"], (int?)result["leftOut"], (int?)result["answers"]));
    }

    [Theory]
    [InlineData(2, "InvalidArgument", "float64", "--dtype", "float64")]
    [InlineData(2, "InvalidArgument", "--contexts is 0", "--contexts", "0")]
    [InlineData(2, "InvalidArgument", "--max-new-tokens is 0", "--max-new-tokens", "0")]
    [InlineData(3, "FileNotFound", "/no/such", "--dataset", "/no/such.jsonl")]
    [InlineData(2, "EmptyInput", "window", "--max-new-tokens", "5000")]
    public async Task Store_BadInput_IsRefused(int exitCode, string code, string named, params string[] arguments) =>
        (await StoreAsync(["--json", .. arguments])).Refused(exitCode, code, named);

    private Task<CommandRun> StoreAsync(params string[] arguments) => _place.RunAsync(["bench", "store", Workplace.SampleModel, "--codecs", .. arguments]);

    private Task<CommandRun> RunAsync(params string[] arguments) => _place.RunAsync(["bench", "engine", Workplace.SampleModel, .. Small, .. arguments]);

    private static List<JsonNode> List(JsonNode? list) => [.. (list?.AsArray() ?? []).OfType<JsonNode>()];

    private static IEnumerable<string> Rows(JsonNode? rows) => List(rows).Select(row => $"{row["work"]} {row["tokens"]} {row["asks"]} {row["shared"]}");

    private static void AssertSamples(JsonNode? samples) => Assert.Equal([true, true], List(samples).Select(sample => (double)sample > 0));
}
