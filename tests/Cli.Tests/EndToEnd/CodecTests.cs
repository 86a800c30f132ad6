using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Inference.Safetensors;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>A codec is a setting of a model, and reaches the store, the answers and every document that names it.</summary>
public sealed class CodecTests : IDisposable
{
    private const string Text = "Hugo keeps the ledger of the mill. There are seven horses in the stable, nine sheep behind it, and four carts.";
    private readonly Workplace _place = new();

    public CodecTests() => Configure("bfloat16", "float32");

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task Codec_OfASetting_HalvesWhatIsStored_AndAContextIsRestoredWithTheSameBits()
    {
        var plain = await CreateAsync(Workplace.SampleModel);
        var half = await CreateAsync("half");
        Assert.InRange(half.StoredBytes, plain.StoredBytes * 0.5, plain.StoredBytes * 0.55); // headers and token ids are as long
        Assert.NotEqual(plain.Numerics, half.Numerics);

        var first = await AskAsync();
        var noCache = (await RunAsync("generate", "--model", "half", "--context", Text, "--prompt", " How many", "--no-cache", "--max-new-tokens", "4", "--ignore-eos", "--logprobs", "--json")).Succeeded().Result;

        Assert.Equal("load", (string?)first["plan"]!["decision"]);
        Assert.Equal(first["tokenIds"]!.ToJsonString(), noCache["tokenIds"]!.ToJsonString());
        Assert.Equal(first["logProbabilities"]!.ToJsonString(), noCache["logProbabilities"]!.ToJsonString());
        Assert.Equal(half.Numerics, (string?)first["numerics"]);

        Task<JsonNode> AskAsync() => ResultAsync("context", "ask", "c", " How many", "--model", "half", "--max-new-tokens", "4", "--ignore-eos", "--logprobs", "--json");
    }

    [Fact]
    public async Task Codec_OfASetting_IsShownByModelInfoAndList()
    {
        var info = await ResultAsync("model", "info", "half", "--json");
        Assert.Equal("bfloat16", (string?)info["numerics"]!["parts"]!["codec"]);
        var listed = (await RunAsync("model", "list", "--json")).Succeeded().Result;
        Assert.Equal("bfloat16", (string?)listed.AsArray().Single(model => (string?)model!["model"] == "half")!["codec"]);
    }

    [Fact]
    public async Task Dataset_PrecomputedWithACodec_IsAskedAgainByItsNameAlone()
    {
        var file = _place.Write("set.jsonl", """{"id":"a","context":"Hugo keeps the ledger of the mill.","questions":[{"id":"q","question":" Who?","answers":[]}]}""");
        await ResultAsync("dataset", "precompute", file, "--model", "half", "--json");
        var asked = await ResultAsync("dataset", "ask", "set", "--out", _place.Path("answers.jsonl"), "--max-new-tokens", "2", "--json");
        Assert.Equal((1, 0), ((int?)asked["questions"], (int?)asked["failed"]));
    }

    [Fact]
    public async Task Store_OfACodec_IsCheckedScoredAndExportedAsItIsStored()
    {
        await CreateAsync("half");
        Assert.Equal(0, (int?)(await ResultAsync("store", "check", "--json"))["faults"]!.AsArray().Count);
        Assert.True((double?)(await ResultAsync("context", "score", "c", " How many", "--model", "half", "--json"))["sum"] < 0);
        var file = _place.Path("kv.safetensors");
        await ResultAsync("context", "export", "c", "--model", "half", "--out", file, "--json");
        using var exported = SafetensorsFile.Open(file);
        Assert.Equal(SafetensorsDtype.BF16, exported.Tensors["layers.0.key"].Dtype);
    }

    [Fact]
    public async Task Forward_OfACodecsModel_NamesTheNumericsOfNone()
    {
        var plain = await ResultAsync("model", "info", Workplace.SampleModel, "--json");
        var forward = await ResultAsync("model", "forward", "half", "--tokens", "1,2,3", "--out", _place.Path("kv.safetensors"), "--json");
        Assert.Equal((string?)plain["numerics"]!["id"], (string?)forward["numerics"]);
    }

    [Fact]
    public async Task Dtype_OtherThanTheConfiguredOne_HasNoCodec()
    {
        var info = await ResultAsync("model", "info", "half", "--dtype", "bfloat16", "--json");
        Assert.Equal("half-bfloat16", (string?)info["model"]);
        Assert.Equal("none", (string?)info["numerics"]!["parts"]!["codec"]);
    }

    [Theory]
    [InlineData("int8", "float32", "int8")]
    [InlineData("bfloat16", "bfloat16", "not for KV in bfloat16")]
    [InlineData("bfloat16", "float64", "not for KV in float64")]
    public async Task Codec_ThatCannotBe_IsRefused(string codec, string dtype, string named)
    {
        Configure(codec, dtype);
        (await RunAsync("context", "create", "c", "--model", "half", "--text", Text, "--json")).Refused(2, "InvalidArgument", named);
        (await RunAsync("model", "info", "half", "--json")).Refused(2, "InvalidArgument", named);
    }

    [Fact]
    public async Task Codec_OtherThanTheStoreKnows_IsAConflict()
    {
        await CreateAsync("half");
        Configure("none", "float32");
        (await RunAsync("context", "ask", "c", " How many", "--model", "half", "--json")).Refused(5, "ModelSpecConflict", "codec is bfloat16 there and none here");
    }

    private void Configure(string codec, string dtype) => _place.Write("appsettings.json", JsonSerializer.Serialize(new
    {
        Granary = new
        {
            _place.Store,
            Engine = new { Threads = 1 },
            Plan = new { Default = "load" },
            Models = new { half = new { Path = Workplace.SampleModel, Dtype = dtype, Codec = codec } },
        },
    }));

    private async Task<(long StoredBytes, string? Numerics)> CreateAsync(string model)
    {
        var created = await ResultAsync("context", "create", "c", "--model", model, "--text", Text, "--json");
        return ((long)created["storedBytes"]!, (string?)created["numerics"]);
    }

    private async Task<JsonNode> ResultAsync(params string[] arguments) => (await RunAsync(arguments)).Succeeded().Result;

    private Task<CommandRun> RunAsync(params string[] arguments) => _place.RunAsync(arguments);
}
