using System.Text.Json.Nodes;
using Granary.Inference.Safetensors;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Bad input to the real command: a clear message, its exit code, nothing half-written.</summary>
public sealed class BadInputTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    private static readonly string Serial = Workplace.Model("serial");

    [Theory]
    [InlineData(3, "ModelNotFound", "/no/such/folder", "context", "create", "x", "--model", "/no/such/folder", "--tokens", "1")]
    [InlineData(3, "ModelNotFound", "no-such-model", "generate", "--model", "no-such-model", "--context-tokens", "1", "--prompt-tokens", "1")]
    [InlineData(2, "TokenOutOfVocabulary", "128", "context", "create", "x", "--model", "SERIAL", "--tokens", "1,128")]
    [InlineData(2, "TokenOutOfVocabulary", "-1", "context", "create", "x", "--model", "SERIAL", "--tokens", "-1,2")]
    [InlineData(2, "TokenOutOfVocabulary", "999", "generate", "--model", "SERIAL", "--context-tokens", "1", "--prompt-tokens", "999")]
    [InlineData(2, "TokenOutOfVocabulary", "128", "model", "forward", "SERIAL", "--tokens", "128", "--out", "never.safetensors")]
    [InlineData(2, "EmptyInput", "context", "context", "create", "x", "--model", "SERIAL", "--text", "")]
    [InlineData(2, "EmptyInput", "token", "context", "create", "x", "--model", "SERIAL", "--tokens", "")]
    [InlineData(2, "EmptyInput", "prompt", "context", "ask", "x", "", "--model", "SERIAL")]
    [InlineData(4, "TokenizerMissing", "serial", "context", "create", "x", "--model", "SERIAL", "--text", "corn")]
    [InlineData(3, "FileNotFound", "missing.json", "context", "create", "x", "--model", "SERIAL", "--tokens", "@missing.json")]
    [InlineData(3, "ContextNotFound", "never", "context", "ask", "never", "--tokens", "1", "--model", "SERIAL")]
    [InlineData(3, "ContextNotFound", "never", "context", "evict", "never", "--model", "SERIAL")]
    [InlineData(3, "ContextNotFound", "never", "context", "delete", "never", "--model", "SERIAL")]
    [InlineData(3, "DatasetNotFound", "never", "dataset", "status", "never")]
    [InlineData(2, "InvalidArgument", "--nonsense", "context", "list", "--nonsense")]
    public async Task Command_BadInput_IsRefusedAndWritesNothing(int exitCode, string code, string named, params string[] arguments)
    {
        var run = await silo.RunAsync([.. arguments.Select(argument => argument == "SERIAL" ? Serial : argument)]);
        run.Refused(exitCode, code, named);
        AssertNoContext("x");
        Assert.False(File.Exists("never.safetensors"));
    }

    [Fact]
    public async Task EngineSettings_ThatAreNone_AreAllNamed()
    {
        using var place = new Workplace();
        place.Write("appsettings.json", """{"Granary":{"Engine":{"Threads":"two","QueueCapacity":0}}}""");
        (await place.RunAsync("context", "list", "--store", place.Store, "--json")).Refused(2, "InvalidArgument", "Granary:Engine:Threads", "Granary:Engine:QueueCapacity");
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("a/b")]
    [InlineData(".hidden")]
    [InlineData("..")]
    [InlineData("%2e%2e")]
    [InlineData("a%2Fb")]
    [InlineData("d.%2e%2E")]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("LONG")]
    public async Task Name_ThatIsNone_IsRefusedEverywhere(string name)
    {
        var used = name == "LONG" ? new string('n', 129) : name;
        var before = Workplace.Objects(silo.Place.Store);
        var questions = silo.Place.Write("one.jsonl", """{"id":"a","context":"Corn.","questions":[]}""");
        (await silo.RunAsync("context", "create", used, "--model", Serial, "--tokens", "1")).Refused(2, "InvalidName", used);
        (await silo.RunAsync("context", "show", used, "--model", Serial)).Refused(2, "InvalidName", used);
        (await silo.RunAsync("context", "list", "--tenant", used == "" ? "a/b" : used)).Refused(2, "InvalidName");
        (await silo.RunAsync("dataset", "status", used)).Refused(2, "InvalidName", used);
        (await silo.RunAsync("dataset", "precompute", questions, "--model", Serial, "--name", used)).Refused(2, "InvalidName", used);
        Assert.Equal(before, Workplace.Objects(silo.Place.Store));
    }

    [Fact]
    public async Task Name_AtTheLimit_IsAccepted() =>
        (await silo.RunAsync("context", "create", new string('n', 128), "--model", Serial, "--tokens", "1")).Succeeded();

    [Theory]
    [InlineData("[1,")]
    [InlineData("{\"ids\":[1]}")]
    [InlineData("[1.5]")]
    [InlineData("[\"1\"]")]
    [InlineData("[99999999999]")]
    public async Task TokensFile_Malformed_IsWrongUsage(string content)
    {
        var file = silo.Place.Write("bad.json", content);
        (await silo.RunAsync("context", "create", "x", "--model", Serial, "--tokens", "@" + file)).Refused(2, "InvalidArgument", file);
    }

    [Fact]
    public async Task Window_Exceeded_IsRefusedBeforeAnyWork()
    {
        var window = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Serial, "config.json")))?["max_position_embeddings"]?.GetValue<int>() ?? 0;
        var tooLong = string.Join(',', Enumerable.Repeat(1, window + 1));
        (await silo.RunAsync("context", "create", "long", "--model", Serial, "--tokens", tooLong)).Refused(4, "ContextWindowExceeded", $"{window}");
        AssertNoContext("long");
        (await silo.RunAsync("generate", "--model", Serial, "--context-tokens", "1", "--prompt-tokens", "2", "--max-new-tokens", $"{window}")).Refused(4, "ContextWindowExceeded", $"{window}");
    }

    [Fact]
    public async Task Context_SameNameOtherTokens_IsAConflict()
    {
        (await silo.RunAsync("context", "create", "taken", "--model", Serial, "--tokens", "1,2")).Succeeded();
        (await silo.RunAsync("context", "create", "taken", "--model", Serial, "--tokens", "1,3")).Refused(5, "ContextConflict", "taken");
        Assert.True((bool?)(await silo.RunAsync("context", "create", "taken", "--model", Serial, "--tokens", "1,2")).Succeeded().Result["existed"]);
    }

    [Fact]
    public async Task Model_SameIdOtherWeights_IsAConflictWithItsRemedy()
    {
        using var place = new Workplace();
        (await place.RunAsync("context", "create", "a", "--model", Serial, "--tokens", "1", "--store", place.Store, "--json")).Succeeded();
        var refused = (await place.RunAsync("context", "create", "a", "--model", Workplace.Model("head-80"), "--model-id", "serial", "--tokens", "1", "--store", place.Store, "--json"))
            .Refused(5, "ModelSpecConflict", "serial");
        Assert.Contains("--model-id", refused.Error.Remedy, StringComparison.Ordinal);
        (await place.RunAsync("context", "create", "a", "--model", Workplace.Model("head-80"), "--model-id", "other", "--tokens", "1", "--store", place.Store, "--json")).Succeeded();
    }

    [Theory]
    [InlineData("config.json", "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"]}", "llama")]
    [InlineData("config.json", "{", "config.json")]
    [InlineData("hidden_act", "relu", "relu")]
    [InlineData("model.safetensors", "CUT", "model.safetensors")]
    [InlineData("model.safetensors", "LIE", "model.safetensors")]
    [InlineData("model.safetensors", "PICKLE", "pytorch_model.bin")]
    [InlineData("tensors", "", "embed_out.weight")]
    public async Task Checkpoint_Unusable_IsNamedAndNothingIsStored(string what, string content, string named)
    {
        using var place = new Workplace();
        var folder = place.CopyOf("serial", "broken");
        Damage(folder, what, content);
        var run = await place.RunAsync("context", "create", "a", "--model", folder, "--tokens", "1", "--store", place.Store, "--json");
        run.Refused(1, "CheckpointInvalid", named);
        if (what == "tensors")
        {
            Assert.Contains("gpt_neox.layers.0.mlp.dense_4h_to_h.bias", run.Error.Message, StringComparison.Ordinal); // both at once
        }

        Assert.Empty(Workplace.Objects(place.Store));
        (await place.RunAsync("model", "info", folder, "--json")).Refused(1, "CheckpointInvalid", named);
    }

    [Fact]
    public async Task Tokenizer_OfUnknownKind_IsNamed()
    {
        using var place = new Workplace();
        var folder = place.CopyOf("serial", "odd");
        await File.WriteAllTextAsync(Path.Combine(folder, "tokenizer.json"), """{"version":"1.0","model":{"type":"Unigram","vocab":[]}}""");
        (await place.RunAsync("context", "create", "a", "--model", folder, "--text", "corn", "--store", place.Store, "--json")).Refused(1, "TokenizerInvalid", "tokenizer.json", "not supported");
        (await place.RunAsync("tokenize", folder, "corn", "--json")).Refused(1, "TokenizerInvalid", "tokenizer.json", "not supported");
        Assert.Empty(Workplace.Objects(place.Store));
    }

    [Fact]
    public async Task Dataset_LineThatIsNotJson_IsNamedAndTheOthersGoOn()
    {
        var file = silo.Place.Write("torn.jsonl", "{\"id\":\"a\",\"context\":\"The herd of Kelwick is horses.\",\"questions\":[]}\n{\"id\":\n{\"id\":\"c\",\"context\":\"Corn.\",\"questions\":[]}\n");
        var run = await silo.RunAsync("dataset", "precompute", file, "--model", Workplace.SampleModel);
        Assert.Equal(1, run.ExitCode);
        Assert.Equal((3, 2, 1), ((int?)run.Result["items"], (int?)run.Result["done"], (int?)run.Result["failed"]));
        Assert.Contains("line 2", run.Error.Message, StringComparison.Ordinal);
        Assert.True((int?)(await silo.RunAsync("context", "show", "torn.c", "--model", Workplace.SampleModel)).Succeeded().Result["tokens"] > 0);
    }

    [Fact]
    public async Task Dataset_Empty_IsRefused() =>
        (await silo.RunAsync("dataset", "precompute", silo.Place.Write("empty.jsonl", "\n"), "--model", Workplace.SampleModel)).Refused(2, "EmptyInput", "empty.jsonl");

    [Fact]
    public async Task Budget_Exceeded_IsRefusedAndAfterwardsNothingIsHeld()
    {
        using var place = new Workplace();
        place.Write("appsettings.json", """{"Granary":{"Residency":{"BudgetBytes":1000}}}""");
        (await place.RunAsync("context", "create", "a", "--model", Serial, "--tokens", "1", "--store", place.Store, "--json")).Refused(4, "KvBudgetExceeded", "1000");
        place.Write("appsettings.json", """{"Granary":{"Residency":{"BudgetBytes":"much"}}}""");
        (await place.RunAsync("context", "list", "--store", place.Store, "--json")).Refused(2, "InvalidArgument", "Granary:Residency:BudgetBytes");
    }

    private void AssertNoContext(string name) => Assert.DoesNotContain(Workplace.Objects(silo.Place.Store), path => path.EndsWith($"/{name}.json", StringComparison.Ordinal));

    private static void Damage(string folder, string what, string content)
    {
        var weights = Path.Combine(folder, "model.safetensors");
        switch ((what, content))
        {
            case (_, "CUT"):
                File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..5000]);
                break;
            case (_, "LIE"): // a header that claims to be longer than the file
                File.WriteAllBytes(weights, [.. BitConverter.GetBytes(1L << 40), .. File.ReadAllBytes(weights)[8..]]);
                break;
            case (_, "PICKLE"):
                File.Move(weights, Path.Combine(folder, "pytorch_model.bin"));
                break;
            case ("hidden_act", _):
                var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json"))) ?? throw new InvalidOperationException("No config.");
                config["hidden_act"] = content;
                File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
                break;
            case ("tensors", _): // one is missing, another misshapen
                var entries = new List<SafetensorsEntry>();
                using (var file = SafetensorsFile.Open(weights))
                {
                    foreach (var (name, tensor) in file.Tensors.Where(tensor => tensor.Key != "gpt_neox.layers.0.mlp.dense_4h_to_h.bias"))
                    {
                        long[] shape = name == "embed_out.weight" ? [tensor.Shape[1], tensor.Shape[0]] : [.. tensor.Shape];
                        entries.Add(SafetensorsEntry.FromMemory(name, tensor.Dtype, shape, tensor.AsSpan().ToArray()));
                    }
                }

                File.Delete(weights);
                SafetensorsWriter.Write(weights, entries);
                break;
            default:
                File.WriteAllText(Path.Combine(folder, what), content);
                break;
        }
    }
}
