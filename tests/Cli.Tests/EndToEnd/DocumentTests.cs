using System.Text.Json.Nodes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>The documents of DESIGN §8, keys and their order, from a real silo.</summary>
public sealed class DocumentTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    private static readonly string[] ContextKeys = ["context", "model", "state", "version", "tokens", "pages", "storedBytes", "resident", "created", "expires", "labels", "parent"];

    [Fact]
    public async Task Context_CreateShowListEvictDelete_PrintTheirDocuments()
    {
        var created = (await silo.RunAsync("context", "create", "life", "--model=" + Workplace.SampleModel, "--text=The mayor of Aldwick is Clara.", "--stream")).Succeeded();
        var events = created.Output.TrimEnd('\n').Split('\n')[..^1].Select(line => JsonNode.Parse(line)).ToList();
        Assert.NotEmpty(events);
        Assert.All(events, step => Assert.Equal("progress", (string?)step?["event"]));
        Assert.Equal(ContextKeys, Keys(created.Result).Take(ContextKeys.Length));

        var shown = (await silo.RunAsync("context", "show", "life", "--model", Workplace.SampleModel)).Succeeded().Result;
        Assert.Equal(ContextKeys, Keys(shown));
        Assert.Equal(("stored", true), ((string?)shown["state"], (bool?)shown["resident"]));
        var listed = (await silo.RunAsync("context", "list")).Succeeded().Result.AsArray().Single(context => (string?)context?["context"] == "life");
        Assert.Equal(ContextKeys, Keys(listed));

        Assert.True((bool?)(await silo.RunAsync("context", "evict", "life", "--model", Workplace.SampleModel)).Succeeded().Result["evicted"]);
        // Pages are shared by their content: another test with this text would keep them resident.
        var answer = (await AskAsync("life", "--max-new-tokens", "2")).Succeeded().Result;
        Assert.True((int?)shown["tokens"] == (int?)answer["usage"]?["restoredTokens"], answer.ToJsonString());
        Assert.True((bool?)(await silo.RunAsync("context", "delete", "life", "--model", Workplace.SampleModel)).Succeeded().Result["deleted"]);
        (await silo.RunAsync("context", "show", "life", "--model", Workplace.SampleModel)).Refused(3, "ContextNotFound", "life");
    }

    [Fact]
    public async Task Ask_Streamed_PrintsTokensThenTheAnswerDocument()
    {
        (await silo.RunAsync("context", "create", "asked", "--model", Workplace.SampleModel, "--text", "The herd of Kelwick is horses.")).Succeeded();
        var run = (await AskAsync("asked", "--max-new-tokens", "5", "--ignore-eos", "--logprobs", "2", "--stream", "--temperature", "0.7", "--seed", "9")).Succeeded();
        var events = run.Output.TrimEnd('\n').Split('\n')[..^1].Select(line => JsonNode.Parse(line)).ToList();
        var answer = run.Result;
        Assert.Equal(
            ["context", "model", "version", "numerics", "exact", "text", "tokenIds", "logProbabilities", "topLogProbabilities", "finishReason", "seed", "usage", "firstTokenSeconds", "plan", "seam"],
            Keys(answer));
        Assert.Equal(["contextTokens", "promptTokens", "residentTokens", "restoredTokens", "recomputedTokens", "decodedTokens"], Keys(answer["usage"]));
        Assert.Equal(["decision", "reason"], Keys(answer["plan"]));
        var usage = answer["usage"] ?? throw new InvalidOperationException("No usage.");
        Assert.Equal((int?)usage["contextTokens"], (int?)usage["residentTokens"] + (int?)usage["restoredTokens"] + (int?)usage["recomputedTokens"]);
        Assert.Equal(answer["tokenIds"]?.ToJsonString(), new JsonArray([.. events.Select(token => token?["id"]?.DeepClone())]).ToJsonString());
        Assert.Equal((string?)answer["text"], string.Concat(events.Select(token => (string?)token?["text"])));
        Assert.Equal(9, (long?)answer["seed"]);

        var plain = (await AskAsync("asked", "--max-new-tokens", "1")).Succeeded().Result;
        Assert.Equal(
            ["context", "model", "version", "numerics", "exact", "text", "tokenIds", "finishReason", "usage", "firstTokenSeconds", "plan", "seam"],
            Keys(plain));
    }

    [Fact]
    public async Task Score_PrintsItsDocument()
    {
        (await silo.RunAsync("context", "create", "scored", "--model", Workplace.SampleModel, "--text", "The herd of Kelwick is")).Succeeded();
        var score = (await silo.RunAsync("context", "score", "scored", " horses", "--model", Workplace.SampleModel)).Succeeded().Result;
        Assert.Equal(["tokenIds", "logProbabilities", "sum", "numerics", "exact"], Keys(score));
    }

    [Fact]
    public async Task Append_AndAskKeep_PrintTheNextVersionsAndRefuseAnOldOne()
    {
        (await silo.RunAsync("context", "create", "grows", "--model", Workplace.SampleModel, "--text", "The herd of Kelwick is horses.")).Succeeded();
        var grown = (await silo.RunAsync("context", "append", "grows", "--model", Workplace.SampleModel, "--text", " The mayor of Aldwick is Clara.", "--if-version", "1")).Succeeded().Result;
        Assert.Equal(ContextKeys, Keys(grown).Take(ContextKeys.Length));
        Assert.Equal(2, (long?)grown["version"]);

        var answer = (await AskAsync("grows", "--max-new-tokens", "3", "--ignore-eos", "--keep", "--if-version", "2")).Succeeded().Result;
        Assert.Equal((2L, 3L), ((long?)answer["version"] ?? 0, (long?)answer["keptVersion"] ?? 0));
        var shown = (await silo.RunAsync("context", "show", "grows", "--model", Workplace.SampleModel)).Succeeded().Result;
        Assert.Equal((int?)grown["tokens"] + (int?)answer["usage"]?["promptTokens"] + 3, (int?)shown["tokens"]);

        (await silo.RunAsync("context", "append", "grows", "--model", Workplace.SampleModel, "--tokens", "5", "--if-version", "2")).Refused(5, "ContextConflict", "version 3");
        (await AskAsync("grows", "--max-new-tokens", "1", "--keep", "--if-version", "1")).Refused(5, "ContextConflict", "version 3");
        (await silo.RunAsync("context", "append", "grows", "--model", Workplace.SampleModel, "--text", "")).Refused(2, "EmptyInput", "empty");
        (await silo.RunAsync("context", "append", "nobody", "--model", Workplace.SampleModel, "--tokens", "5")).Refused(3, "ContextNotFound", "nobody");
    }

    [Fact]
    public async Task Fork_PrintsTheNewContextAndItsParent()
    {
        (await silo.RunAsync("context", "create", "trunk", "--model", Workplace.SampleModel, "--text", "The herd of Kelwick is horses.")).Succeeded();
        var forked = (await silo.RunAsync("context", "fork", "trunk", "limb", "--model", Workplace.SampleModel, "--ttl", "1h", "--refresh", "--label", "of=trunk", "--if-version", "1")).Succeeded().Result;
        Assert.Equal(ContextKeys, Keys(forked).Take(ContextKeys.Length));
        Assert.Equal(("limb", "trunk", 0), ((string?)forked["context"], (string?)forked["parent"], (int?)forked["prefilledTokens"]));
        Assert.Equal("trunk", (string?)forked["labels"]!["of"]);

        (await silo.RunAsync("context", "fork", "trunk", "limb-2", "--model", Workplace.SampleModel, "--if-version", "2")).Refused(5, "ContextConflict", "version 1");
        (await silo.RunAsync("context", "fork", "nobody", "limb-3", "--model", Workplace.SampleModel)).Refused(3, "ContextNotFound", "nobody");
        (await silo.RunAsync("context", "fork", "trunk", "trunk", "--model", Workplace.SampleModel)).Refused(2, "InvalidArgument", "itself");
        (await silo.RunAsync("context", "fork", "trunk", "../x", "--model", Workplace.SampleModel)).Refused(2, "InvalidName", "../x");
    }

    [Fact]
    public async Task Help_IsZero() => Assert.Equal(0, (await silo.RunAsync("context", "--help")).ExitCode);

    private static IEnumerable<string> Keys(JsonNode? document) => document?.AsObject().Select(field => field.Key) ?? [];

    private Task<CommandRun> AskAsync(string name, params string[] options) =>
        silo.RunAsync(["context", "ask", name, "\nQuestion: What is the herd of Kelwick?\nAnswer:", "--model", Workplace.SampleModel, .. options]);
}
