using System.Text.Json.Nodes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>A store's check and sweep, and a model's verification, over a real silo and folder.</summary>
public sealed class StoreTests : IDisposable
{
    private static readonly string Ids = string.Join(',', Enumerable.Range(0, 300).Select(index => index % 100)); // two pages
    private static readonly string Model = Workplace.Model("quarter-rotary");
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact, Trait("Invariant", "1")]
    public async Task Check_ChunkIsDamaged_IsFoundTakenAwayAndComputedAnew()
    {
        await RunAsync("context", "create", "a", "--model", Model, "--tokens", Ids);
        var before = await AskAsync();
        var chunk = Directory.GetFiles(Path.Combine(_place.Store, "chunks"), "*.safetensors", SearchOption.AllDirectories).Order(StringComparer.Ordinal).First();
        var bytes = await File.ReadAllBytesAsync(chunk, TestContext.Current.CancellationToken);
        bytes[^2000] ^= 1;
        await File.WriteAllBytesAsync(chunk, bytes, TestContext.Current.CancellationToken);

        var found = await _place.RunAsync("store", "check", "--store", _place.Store, "--json");
        var repaired = (await RunAsync("store", "check", "--repair")).Result;
        var clean = (await RunAsync("store", "check")).Result;
        var after = await AskAsync();

        Assert.Equal((1, "ManifestInvalid"), (found.ExitCode, found.Error.Code));
        Assert.Equal(("chunk", "checksum", "quarter-rotary/a", false), Fault(found.Result));
        Assert.Equal(("chunk", "checksum", "quarter-rotary/a", true), Fault(repaired));
        Assert.Equal((1, 1, 0), ((int?)clean["contexts"], (int?)clean["chunks"], (int?)clean["faultCount"]));
        Assert.Equal(before["tokenIds"]!.ToJsonString(), after["tokenIds"]!.ToJsonString());
        Assert.Equal(before["logProbabilities"]!.ToJsonString(), after["logProbabilities"]!.ToJsonString());
        Assert.True((int?)after["usage"]?["recomputedTokens"] > 0, after.ToJsonString());
    }

    [Fact]
    public async Task Sweep_ContextIsDeleted_FreesItsChunks()
    {
        await RunAsync("context", "create", "a", "--model", Model, "--tokens", Ids);
        await RunAsync("context", "create", "b", "--model", Model, "--tokens", Ids + ",7");
        var whole = (await RunAsync("store", "usage")).Result;
        await RunAsync("context", "delete", "a", "--model", Model);
        var told = (await RunAsync("store", "gc", "--dry-run", "--grace", "0.001s")).Result;
        var done = (await RunAsync("store", "gc", "--grace", "0.001s")).Result;
        var left = (await RunAsync("store", "usage")).Result;

        Assert.Equal((2, 3, 0), ((int?)whole["contexts"], (int?)whole["chunks"], (int?)whole["unreferencedChunks"])); // the first page is shared
        Assert.Equal((1, 1), ((int?)told["deletedChunks"], (int?)told["tombstones"]));
        Assert.Equal((1, 1), ((int?)done["deletedChunks"], (int?)done["tombstones"]));
        Assert.Equal((1, 2, 0), ((int?)left["contexts"], (int?)left["chunks"], (int?)left["unreferencedChunks"]));
        Assert.Equal(301, (int?)(await AskAsync("b"))["usage"]?["restoredTokens"]);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task Verify_WeightsAreReplacedInPlaceWithEqualSizeAndTimes_IsAConflict()
    {
        var copy = _place.CopyOf("quarter-rotary", "served");
        await RunAsync("context", "create", "a", "--model", copy, "--tokens", "1,2,3");
        var good = (await RunAsync("model", "verify", copy)).Result;
        var weights = Directory.GetFiles(copy, "*.safetensors").Single();
        var (written, read) = (File.GetLastWriteTimeUtc(weights), File.GetLastAccessTimeUtc(weights));
        var bytes = await File.ReadAllBytesAsync(weights, TestContext.Current.CancellationToken);
        bytes[^7] ^= 0x10;
        await File.WriteAllBytesAsync(weights, bytes, TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(weights, written);
        File.SetLastAccessTimeUtc(weights, read);

        var bad = await _place.RunAsync("model", "verify", copy, "--store", _place.Store, "--json");

        Assert.True((bool?)good["verified"]);
        Assert.Equal((string?)good["fingerprint"], (string?)good["stored"]);
        Assert.Equal((5, "ModelSpecConflict"), (bad.ExitCode, bad.Error.Code));
        Assert.False((bool?)bad.Result["verified"]);
        Assert.Equal((string?)good["fingerprint"], (string?)bad.Result["stored"]);
        (await _place.RunAsync("context", "ask", "a", "--tokens", "1", "--model", copy, "--store", _place.Store, "--json")).Refused(5, "ModelSpecConflict");
    }

    private static (string? Kind, string? Reason, string? Context, bool Repaired) Fault(JsonNode result)
    {
        var fault = Assert.Single(result["faults"]!.AsArray())!;
        return ((string?)fault["kind"], (string?)fault["reason"], (string?)fault["context"], (bool)fault["repaired"]!);
    }

    private async Task<JsonNode> AskAsync(string name = "a") =>
        (await RunAsync("context", "ask", name, "--tokens", "1,2", "--max-new-tokens", "4", "--ignore-eos", "--logprobs", "--model", Model)).Result;

    private async Task<CommandRun> RunAsync(params string[] arguments) => (await _place.RunAsync([.. arguments, "--store", _place.Store, "--json"])).Succeeded();
}
