using Granary.Cli.Tests.Fakes;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Inference.Errors;
using Granary.Stores;

namespace Granary.Cli.Tests;

public sealed class CommandTests : IDisposable
{
    private const string Context = """{"context":"faq","model":"tiny","state":"stored","version":1,"tokens":3,"pages":1,"storedBytes":42,"resident":true,"created":"2026-01-02T03:04:05+00:00","expires":null,"labels":{},"parent":null}""";
    private const string AnswerHead = """{"context":"faq","model":"tiny","version":1,"numerics":"n1","exact":true,"text":" corn é","tokenIds":[5,6],""";
    private const string AnswerTail = ""","usage":{"contextTokens":3,"promptTokens":2,"residentTokens":3,"restoredTokens":0,"recomputedTokens":0,"decodedTokens":2},"firstTokenSeconds":0.25,"plan":{"decision":"resident","reason":"all pages are resident"},"seam":"same"}""";

    private readonly FakeGranary _granary = new();
    private readonly TestTerminal _terminal = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("granary-cli-").FullName;
    private readonly string _model;

    public CommandTests()
    {
        _model = Path.Combine(_folder, "tiny");
        Directory.CreateDirectory(_model);
        File.WriteAllText(Path.Combine(_model, "config.json"), "{}");
    }

    private string Output => _terminal.Output.ToString();

    private string Errors => _terminal.Errors.ToString();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Show_Json_IsTheContextDocument()
    {
        Assert.Equal(0, await RunAsync("context", "show", "faq", "--model", _model, "--json"));
        Assert.Equal(Context + "\n", Output);
        Assert.Equal(("tiny", _model, "float32"), _granary.Loaded);
    }

    [Fact]
    public async Task ClusterStatus_Json_IsOneArray()
    {
        Assert.Equal(0, await RunAsync("cluster", "status", "--cluster", "redis://r", "--json"));
        Assert.Equal("""[{"silo":"silo-1","address":"S127.0.0.1:11111:1","state":"serving","role":"both","models":[{"model":"tiny","numerics":"n1","exact":true}],"budgetBytes":1000,"residentBytes":42,"freeBytes":958,"contexts":2,"streams":1,"prefilledTokens":0,"leases":0,"waiting":0,"queued":0}]""" + "\n", Output);
    }

    [Fact]
    public async Task SiloDrain_Json_IsWhatItBeganWithAndHowLongItTook()
    {
        Assert.Equal(0, await RunAsync("silo", "drain", "silo-1", "--cluster", "redis://r", "--json"));
        Assert.Equal("""{"silo":"silo-1","state":"stopped","streams":1,"contexts":2,"seconds":1.5}""" + "\n", Output);
        Assert.Empty(Errors);
    }

    [Fact]
    public async Task SiloDrain_ForPeople_TellsWhatChanges()
    {
        Assert.Equal(0, await RunAsync("silo", "drain", "silo-1", "--cluster", "redis://r"));
        Assert.Equal("silo-1 draining: 1 streams, 2 contexts\nsilo-1 drained: 0 streams, 0 contexts\n", Errors);
        Assert.Equal("silo-1 stopped after 1.5 s\n", Output);
    }

    [Theory, InlineData("silo", "drain", "silo-1"), InlineData("cluster", "status")]
    public async Task SiloVerbs_NoClusterIsNamed_AreWrongUsage(params string[] verb)
    {
        Assert.Equal(2, await RunAsync(verb));
        Assert.Contains("--cluster", Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_Json_IsOneArray()
    {
        Assert.Equal(0, await RunAsync("context", "list", "--json"));
        Assert.Equal($"[{Context}]\n", Output);
    }

    [Fact]
    public async Task Create_Json_AddsTheWork()
    {
        Assert.Equal(0, await RunAsync("context", "create", "faq", "--model=" + _model, "--text=Corn.", "--ttl", "1h", "--truncate=left", "--reserve", "16", "--json", "--dtype=bfloat16"));
        Assert.Equal(Context[..^1] + ""","truncatedTokens":4,"existed":false,"prefilledTokens":3,"restoredTokens":0,"numerics":"n1","exact":true}""" + "\n", Output);
        Assert.Equal(TimeSpan.FromHours(1), _granary.Created?.TimeToLive);
        Assert.Equal((true, 16, "Corn."), (_granary.Created?.TruncateLeft, _granary.Created?.Reserve, _granary.Created?.Input.Text));
        Assert.Equal("tiny-bfloat16", _granary.Loaded?.Id);
    }

    [Fact]
    public async Task Ask_JsonWithoutOptions_LeavesOptionalFieldsOut()
    {
        Assert.Equal(0, await RunAsync("context", "ask", "faq", "What?", "--model", _model, "--json"));
        Assert.Equal(AnswerHead + "\"finishReason\":\"length\"" + AnswerTail + "\n", Output);
        Assert.Equal("What?", _granary.Asked?.Prompt.Text);
    }

    [Fact]
    public async Task Ask_StreamWithLogProbabilities_PrintsTokensThenTheAnswer()
    {
        Assert.Equal(0, await RunAsync("context", "ask", "faq", "--tokens", "1,2", "--model", _model, "--json", "--stream", "--logprobs", "1", "--temperature", "0.5", "--seed=7"));
        var lines = Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("""{"event":"token","index":0,"id":5,"text":" corn","logProbability":-0.1}""", lines[0]);
        Assert.Equal("""{"event":"token","index":1,"id":6,"text":" é","logProbability":-1E-07}""", lines[1]);
        Assert.Equal(AnswerHead[..^1] + ""","logProbabilities":[-0.1,-1E-07],"topLogProbabilities":[[{"id":5,"logProbability":-0.1}],[{"id":6,"logProbability":-1E-07}]],"finishReason":"length","seed":7""" + AnswerTail, lines[2]);
        Assert.Equal([1, 2], _granary.Asked?.Prompt.TokenIds ?? []);
    }

    [Fact]
    public async Task Ask_LogProbabilitiesInFrontOfThePrompt_TakesNoNumber()
    {
        Assert.Equal(0, await RunAsync("context", "ask", "faq", "--logprobs", "What?", "--model", _model, "--json"));
        Assert.Equal("What?", _granary.Asked?.Prompt.Text);
        Assert.Equal((true, 0), (_granary.Asked?.Options.LogProbabilities, _granary.Asked?.Options.TopLogProbabilities));
    }

    [Fact]
    public async Task Ask_ForPeople_PrintsTheTextAlone()
    {
        Assert.Equal(0, await RunAsync("context", "ask", "faq", "What?", "--model", _model));
        Assert.Equal(" corn é\n", Output);
    }

    [Fact]
    public async Task Generate_NoCacheAndStops_ReachTheRequest()
    {
        var ids = Path.Combine(_folder, "ids.json");
        await File.WriteAllTextAsync(ids, "[3, 4]");
        Assert.Equal(0, await RunAsync("generate", "--model", _model, "--context-tokens", "@" + ids, "--prompt", "P", "--no-cache", "--stop", ".", "--stop=!", "--ignore-eos", "--max-new-tokens", "8", "--json"));
        Assert.Equal([3, 4], _granary.Generated?.Context.TokenIds ?? []);
        Assert.Equal([".", "!"], _granary.Generated?.Options.Stop ?? []);
        Assert.Equal((true, true, 8), (_granary.Generated?.NoCache, _granary.Generated?.Options.IgnoreEos, _granary.Generated?.Options.MaxNewTokens));
    }

    [Theory]
    [InlineData("evict", """{"context":"faq","model":"tiny","evicted":true}""")]
    [InlineData("delete", """{"context":"faq","model":"tiny","deleted":true}""")]
    public async Task EvictAndDelete_Json_SayWhatHappened(string verb, string document)
    {
        Assert.Equal(0, await RunAsync("context", verb, "faq", "--model", _model, "--json"));
        Assert.Equal(document + "\n", Output);
    }

    [Fact]
    public async Task List_LabelsAndLimit_AreAsManyAsAskedForAndSayWhereTheNextStart()
    {
        Assert.Equal(0, await RunAsync("context", "list", "--label", "team=corn", "--label", "new", "--limit", "3", "--json"));
        Assert.Equal($"[{Named(0)},{Named(1)},{Named(2)}]\n", Output);
        Assert.Equal("""{"continuation":"tiny/2"}""" + "\n", Errors);
        Assert.Equal([(3, null), (1, "tiny/1")], _granary.Listed.Select(static request => (request.Limit, request.After)));
        Assert.Equal(["team=corn", "new"], _granary.Listed[0].Labels);
    }

    [Fact]
    public async Task List_AfterAContinuation_GoesOnToTheEnd()
    {
        Assert.Equal(0, await RunAsync("context", "list", "--label", "new", "--after", "tiny/0", "--json"));
        Assert.Equal($"[{Named(1)},{Named(2)},{Named(3)}]\n", Output);
        Assert.Empty(Errors);
    }

    [Theory]
    [InlineData("pin", "--until", "2030-01-31T18:00:00+01:00")]
    [InlineData("pin", "--until=2030-01-31T17:00Z")]
    public async Task Pin_Until_IsAnInstant(params string[] arguments)
    {
        Assert.Equal(0, await RunAsync(["context", arguments[0], "faq", .. arguments[1..], "--model", _model, "--json"]));
        Assert.Equal(new ContextPin { Until = new DateTimeOffset(2030, 1, 31, 17, 0, 0, TimeSpan.Zero) }, _granary.Updated!.Pin);
        Assert.Equal(Context[..^1] + ""","pinnedUntil":"2030-01-31T17:00:00+00:00"}""" + "\n", Output);
    }

    [Fact]
    public async Task PinAndUnpin_Json_AreContextDocuments()
    {
        Assert.Equal(0, await RunAsync("context", "pin", "faq", "--for", "2h", "--model", _model, "--json"));
        Assert.Equal(TimeSpan.FromHours(2), _granary.Updated!.Pin!.Duration);
        Assert.Equal(0, await RunAsync("context", "pin", "faq", "--model", _model, "--json"));
        Assert.Equal(ContextPin.Endless, _granary.Updated.Pin);
        Assert.Equal(0, await RunAsync("context", "unpin", "faq", "--model", _model, "--json"));
        Assert.Equal((null, true), (_granary.Updated.Pin, _granary.Updated.Unpin));
        Assert.Equal(string.Concat(Enumerable.Repeat(Context + "\n", 3)), Output);
    }

    [Fact]
    public async Task Expire_EachWay_ReachesTheRequest()
    {
        foreach (var (arguments, expiry) in new (string[], ContextExpiry)[]
        {
            (["--in", "1h"], new ContextExpiry { TimeToLive = TimeSpan.FromHours(1) }),
            (["--in", "1h", "--refresh"], new ContextExpiry { TimeToLive = TimeSpan.FromHours(1), RefreshOnHit = true }),
            (["--at", "2030-01-31"], new ContextExpiry { Expires = new DateTimeOffset(2030, 1, 31, 0, 0, 0, TimeSpan.Zero) }),
            (["--never"], ContextExpiry.Never),
            (["--now"], ContextExpiry.Now),
        })
        {
            Assert.Equal(0, await RunAsync(["context", "expire", "faq", .. arguments, "--model", _model, "--json"]));
            Assert.Equal(expiry, _granary.Updated!.Expiry);
        }

        Assert.Contains("\"refreshSeconds\":3600}", Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Label_SetAndRemove_ReachTheRequest()
    {
        Assert.Equal(0, await RunAsync("context", "label", "faq", "team=corn", "empty=", "--remove", "old", "--model", _model, "--json"));
        Assert.Equal(("corn", "", "old"), (_granary.Updated!.SetLabels["team"], _granary.Updated.SetLabels["empty"], Assert.Single(_granary.Updated.RemoveLabels)));
        Assert.Contains("""
            "labels":{"team":"corn","empty":""}
            """, Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Create_LabelsAndRefresh_ReachTheRequest()
    {
        Assert.Equal(0, await RunAsync("context", "create", "faq", "--model", _model, "--text", "a", "--label", "a=1", "--label=b=c=d", "--ttl", "1h", "--refresh", "--json"));
        Assert.Equal(("1", "c=d", true), (_granary.Created!.Labels["a"], _granary.Created.Labels["b"], _granary.Created.RefreshOnHit));
    }

    [Fact]
    public async Task Warm_Stream_IsEventsAndTheContextWithItsWork()
    {
        Assert.Equal(0, await RunAsync("context", "warm", "faq", "--plan", "load", "--model", _model, "--json", "--stream"));
        var lines = Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("""{"event":"progress","doneTokens":0,"totalTokens":3}""", lines[0]);
        Assert.Equal(Context[..^1] + ""","residentTokens":0,"restoredTokens":3,"recomputedTokens":0,"plan":{"decision":"load","reason":"Load"},"seconds":0.25,"numerics":"n1","exact":true}""", lines[2]);
    }

    [Theory]
    [InlineData(false, 0, "\"equal\":true,\"pages\":2,\"equalPages\":2,\"faults\":[],\"probeTokens\":16,\"probeEqual\":true")]
    [InlineData(true, 1, "\"equal\":false,\"pages\":2,\"equalPages\":0,\"faults\":[{\"page\":0,\"start\":0,\"count\":2,\"fault\":\"differs\",\"difference\":{\"values\":5,\"layer\":1,\"kind\":\"key\",\"head\":2,\"position\":1,\"channel\":3,\"largest\":null}},{\"page\":1,\"start\":2,\"count\":1,\"fault\":\"absent\"}],\"probeTokens\":0,\"probeEqual\":null")]
    public async Task Verify_Json_IsTheReportAndFailsWhereItDiffers(bool differs, int exitCode, string middle)
    {
        _granary.Differs = differs;
        Assert.Equal(exitCode, await RunAsync("context", "verify", "faq", "--model", _model, "--json"));
        Assert.Equal("""{"context":"faq","model":"tiny","version":1,"tokens":3,""" + middle + ""","numerics":"n1","exact":true,"tolerance":0,"seconds":0.5}""" + "\n", Output);
        Assert.Equal(differs, Errors.Contains("\"error\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WarmAndVerify_ForPeople_SayWhatWasFound()
    {
        _granary.Differs = true;
        Assert.Equal(0, await RunAsync("context", "warm", "faq", "--model", _model));
        Assert.Contains("faq (tiny) is resident", Output, StringComparison.Ordinal);
        Assert.Equal(1, await RunAsync("context", "verify", "faq", "--model", _model));
        Assert.Contains("0 of 2 stored pages equal a fresh prefill to the bit", Output, StringComparison.Ordinal);
        Assert.Contains("2 of 2 pages of 'faq'", Errors, StringComparison.Ordinal);
    }

    private static string Named(int context) => Context.Replace("\"faq\"", $"\"{context}\"", StringComparison.Ordinal);

    [Fact]
    public async Task Score_Json_IsTheScoreDocument()
    {
        Assert.Equal(0, await RunAsync("context", "score", "faq", "--tokens=1,2", "--model", _model, "--json"));
        Assert.Equal("""{"tokenIds":[1,2],"logProbabilities":[-0.5,-0.25],"sum":-0.75,"numerics":"n1","exact":true}""" + "\n", Output);
    }

    [Fact]
    public async Task Score_SeveralContinuations_OneDocumentALine()
    {
        Assert.Equal(0, await RunAsync("context", "score", "faq", "--tokens=1,2", "--tokens", "3,4", "--model", _model, "--json"));
        Assert.Equal(
            """{"tokenIds":[1,2],"logProbabilities":[-0.5,-0.25],"sum":-0.75,"numerics":"n1","exact":true}""" + "\n" + """{"tokenIds":[3,4],"logProbabilities":[-0.5,-0.25],"sum":-0.75,"numerics":"n1","exact":true}""" + "\n",
            Output);
    }

    [Fact]
    public async Task Score_TextAndTokens_IsWrongUsage() =>
        Assert.Equal(2, await RunAsync("context", "score", "faq", "corn", "--tokens=1,2", "--model", _model, "--json"));

    [Fact]
    public async Task Precompute_OneItemFailed_PrintsTheDocumentAndFails()
    {
        _granary.Failures = [new DatasetFailure("line 3", ErrorCodes.DatasetInvalid, "line 3: not JSON at byte 0.")];
        var file = Path.Combine(_folder, "my set.jsonl");
        await File.WriteAllTextAsync(file, """{"id":"a","context":"Corn."}""");
        Assert.Equal(1, await RunAsync("dataset", "precompute", file, "--model", _model, "--json"));
        Assert.Equal("""{"dataset":"my-set","items":3,"done":1,"failed":1,"skipped":1,"prefilledTokens":9,"storedBytes":42,"seconds":1.5,"exact":true}""" + "\n", Output);
        Assert.Contains("line 3", Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_OneItemWouldFail_PrintsTheDocumentAndFails()
    {
        _granary.Failures = [new DatasetFailure("line 3", ErrorCodes.DatasetInvalid, "line 3: not JSON at byte 0.")];
        var file = Path.Combine(_folder, "my set.jsonl");
        await File.WriteAllTextAsync(file, """{"id":"a","context":"Corn."}""");
        Assert.Equal(1, await RunAsync("dataset", "estimate", file, "--model", _model, "--json"));
        Assert.Equal(
            """{"dataset":"my-set","model":"tiny","items":2,"failed":1,"tokens":600,"pages":4,"distinctPages":3,"storedPages":1,"prefillTokens":300,"storeBytes":1000,"residentBytes":2000,"seconds":0.5,"exact":true}""" + "\n",
            Output);
        Assert.Contains("1 of 2 items would fail: line 3", Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_ForPeople_SaysWhatIsToBeDone()
    {
        var file = Path.Combine(_folder, "set.jsonl");
        await File.WriteAllTextAsync(file, """{"id":"a","context":"Corn."}""");
        Assert.Equal(0, await RunAsync("dataset", "estimate", file, "--model", _model));
        Assert.Contains("300 tokens, about 0.5 s on one silo", Output, StringComparison.Ordinal);
        Assert.Contains("3 distinct, 1 of them stored", Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DatasetAsk_WritesALineAQuestion_AndReplacesTheFile()
    {
        var output = Path.Combine(_folder, "answers.jsonl");
        await File.WriteAllTextAsync(output, "old");
        Assert.Equal(0, await RunAsync("dataset", "ask", "d", "--model", _model, "--out", output, "--no-cache", "--json"));
        Assert.Equal("""{"item":"i1","question":"q1","answers":["corn"],""" + AnswerHead[1..] + "\"finishReason\":\"length\"" + AnswerTail + "\n", await File.ReadAllTextAsync(output));
        Assert.True(_granary.DatasetAsked?.NoCache);
        Assert.Equal(["answers.jsonl"], Directory.GetFiles(_folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Size_Pythia70M_IsTheNotebooksFigure() // golden row S8
    {
        Assert.Equal(0, await RunAsync("size", "pythia-70m", "--memory", "80GB", "--json"));
        Assert.Equal("""[{"model":"pythia-70m","layers":6,"hiddenSize":512,"dtype":"float32","sequenceLength":2048,"bytesPerExample":50331648,"examples":225,"bytesTotal":11324620800,"bytesCumulative":11324620800,"examplesFit":1589}]""" + "\n", Output);
    }

    [Theory]
    [InlineData("context", "ask", "faq", "P", "--model", "m", "--if-version=now")]
    [InlineData("context", "fork", "faq")]
    [InlineData("context")]
    [InlineData("nothing")]
    [InlineData("context", "ask", "faq", "P")]
    [InlineData("size", "pythia-70m", "--dtype", "int8")]
    [InlineData("size", "pythia-70m", "--examples", "many")]
    public async Task Run_WrongUsage_Is2WithOneJsonError(params string[] arguments)
    {
        Assert.Equal(2, await RunAsync([.. arguments, "--json"]));
        Assert.Empty(Output);
        Assert.StartsWith("""{"error":{"code":"InvalidArgument","message":""", Errors, StringComparison.Ordinal);
        Assert.Single(Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData(2, "context", "show", "../x", "--model", "MODEL")]
    [InlineData(2, "context", "create", "x", "--model", "MODEL", "--text", "")]
    [InlineData(2, "context", "create", "x", "--model", "MODEL")]
    [InlineData(2, "context", "create", "x", "--model", "MODEL", "--text", "a", "--ttl", "soon")]
    [InlineData(2, "context", "create", "x", "--model", "MODEL", "--text", "a", "--refresh")]
    [InlineData(2, "context", "create", "x", "--model", "MODEL", "--text", "a", "--label", "a")]
    [InlineData(2, "context", "create", "x", "--model", "MODEL", "--text", "a", "--label", "a=1", "--label", "a=2")]
    [InlineData(2, "context", "pin", "x", "--model", "MODEL", "--for", "1h", "--until", "2030-01-01")]
    [InlineData(2, "context", "pin", "x", "--model", "MODEL", "--until", "tomorrow")]
    [InlineData(2, "context", "expire", "x", "--model", "MODEL")]
    [InlineData(2, "context", "expire", "x", "--model", "MODEL", "--now", "--never")]
    [InlineData(2, "context", "expire", "x", "--model", "MODEL", "--at", "2030-01-01", "--refresh")]
    [InlineData(2, "context", "label", "x", "--model", "MODEL")]
    [InlineData(2, "context", "label", "x", "=1", "--model", "MODEL")]
    [InlineData(2, "context", "list", "--limit", "0")]
    [InlineData(2, "context", "ask", "x", "p", "--model", "MODEL", "--logprobs", "21")]
    [InlineData(2, "context", "ask", "x", "p", "--model", "MODEL", "--top-p", "1.5")]
    [InlineData(2, "context", "ask", "x", "--tokens", "1,b", "--model", "MODEL")]
    [InlineData(2, "size", "pythia-70m", "--sequence-length", "4096")]
    [InlineData(3, "context", "show", "x", "--model", "no-such-model")]
    [InlineData(3, "context", "show", "x", "--model", "/no/such/folder")]
    [InlineData(3, "context", "create", "x", "--model", "MODEL", "--file", "/no/such/file")]
    [InlineData(3, "dataset", "precompute", "/no/such/file", "--model", "MODEL")]
    [InlineData(3, "dataset", "status", "none")]
    [InlineData(4, "tokenize", "MODEL", "text")]
    public async Task Run_BadInput_HasItsExitCode(int exitCode, params string[] arguments)
    {
        Assert.Equal(exitCode, await RunAsync([.. arguments.Select(argument => argument == "MODEL" ? _model : argument)]));
        Assert.Empty(Output);
        Assert.StartsWith("granary: ", Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ErrorCodes.StoreUnavailable, 1)]
    [InlineData(ErrorCodes.InvalidName, 2)]
    [InlineData(ErrorCodes.ContextNotFound, 3)]
    [InlineData(ErrorCodes.NoWorker, 4)]
    [InlineData(ErrorCodes.ModelSpecConflict, 5)]
    public async Task Run_GranaryFails_GivesItsExitCodeAndRemedy(string code, int exitCode)
    {
        _granary.Failure = new GranaryException(code, "what", "do this");
        Assert.Equal(exitCode, await RunAsync("context", "list", "--json"));
        Assert.Equal($$$"""{"error":{"code":"{{{code}}}","message":"what","remedy":"do this"}}""" + "\n", Errors);
        Assert.Empty(Output);
    }

    [Fact]
    public async Task Run_InferenceFails_GivesItsExitCode()
    {
        _granary.Failure = new InferenceException(ErrorCodes.CheckpointInvalid, "what", "do this");
        Assert.Equal(1, await RunAsync("context", "list"));
    }

    [Fact]
    public async Task Run_SomethingUnknownFails_IsInternalWithoutATrace()
    {
        _granary.Failure = new InvalidOperationException("odd");
        Assert.Equal(1, await RunAsync("context", "list", "--json"));
        Assert.StartsWith("""{"error":{"code":"Internal","message":"InvalidOperationException: odd",""", Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Cancelled_Is130()
    {
        _granary.Failure = new OperationCanceledException();
        Assert.Equal(130, await RunAsync("context", "list", "--json"));
        Assert.Contains("\"Cancelled\"", Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Model_NamedBySettings_IsLoadedFromItsPath()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "appsettings.json"), """{"Granary":{"Models":{"mine":{"Path":"MODEL","Dtype":"bfloat16"}}}}""".Replace("MODEL", _model, StringComparison.Ordinal));
        Assert.Equal(0, await RunAsync("context", "show", "faq", "--model", "mine", "--json"));
        Assert.Equal(("mine", _model, "bfloat16"), _granary.Loaded);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 0)]
    public async Task StoreCheck_Json_IsItsDocumentAndFailsWhereFaultsAreLeft(bool repair, int exitCode)
    {
        Assert.Equal(exitCode, await RunAsync(["store", "check", "--json", .. repair ? ["--repair"] : Array.Empty<string>()]));
        var flag = repair ? "true" : "false";
        Assert.Equal(
            """{"contexts":1,"chunks":1,"chunkBytes":42,"faultCount":1,"repairedCount":""" + (repair ? 1 : 0)
            + ""","faults":[{"key":"chunks/default/f/n/ab/abc.safetensors","kind":"chunk","reason":"checksum","context":"tiny/faq","repaired":""" + flag + "}]}\n",
            Output);
        Assert.Equal(!repair, Errors.Contains("ManifestInvalid", StringComparison.Ordinal));
    }

    [Fact]
    public async Task StoreUsage_Json_IsADryRunOfEverything()
    {
        Assert.Equal(0, await RunAsync("store", "usage", "--json"));
        Assert.Equal("""{"contexts":1,"expired":2,"tombstones":3,"chunks":4,"chunkBytes":50,"unreferencedChunks":2,"unreferencedBytes":20,"unreadable":[],"tokenBlobs":3,"tokenBlobBytes":30,"unreferencedTokenBlobs":2,"unreferencedTokenBlobBytes":16}""" + "\n", Output);
        Assert.Equal(new StoreSweepRequest(true, TimeSpan.Zero), _granary.Swept);
    }

    [Fact]
    public async Task StoreGc_Json_IsItsDocument()
    {
        Assert.Equal(0, await RunAsync("store", "gc", "--dry-run", "--grace", "2h", "--deletes-per-second=7", "--json"));
        Assert.Equal("""{"dryRun":true,"contexts":1,"expired":2,"tombstones":3,"chunks":4,"chunkBytes":50,"deletedChunks":1,"deletedBytes":10,"unreadable":[],"tokenBlobs":3,"tokenBlobBytes":30,"deletedTokenBlobs":1,"deletedTokenBlobBytes":8}""" + "\n", Output);
        Assert.Equal(new StoreSweepRequest(true, TimeSpan.FromHours(2), 7), _granary.Swept);
    }

    [Theory, InlineData("--grace", "soon"), InlineData("--deletes-per-second", "0")]
    public async Task StoreGc_NonsenseIsGiven_Is2(string flag, string value)
    {
        Assert.Equal(2, await RunAsync("store", "gc", flag, value, "--json"));
        Assert.Null(_granary.Swept);
    }

    [Fact]
    public async Task Help_AnyVerb_IsZeroAndOnOut()
    {
        Assert.Equal(0, await RunAsync("context", "ask", "--help"));
        Assert.Contains("--logprobs", Output, StringComparison.Ordinal);
    }

    private Task<int> RunAsync(params string[] arguments) =>
        new GranaryCommand(new CommandSurroundings(_terminal, _granary, _folder, _folder)).RunAsync(arguments, TestContext.Current.CancellationToken);
}
