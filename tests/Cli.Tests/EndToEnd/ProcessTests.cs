using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Testing;
using Granary.Testing.Processes;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>What only a process shows: its streams, its environment, its signals.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task Json_WithVerbose_StandardOutputStaysJson()
    {
        var (exitCode, output, errors) = await RunAsync(
            ["generate", "--model", Workplace.Model("serial"), "--context-tokens", "1,2", "--prompt-tokens=3", "--max-new-tokens=2", "--stream", "--json", "-v", "--store", _place.Store]);
        Assert.Equal(0, exitCode);
        Assert.All(output, line => JsonDocument.Parse(line).Dispose());
        Assert.Equal(3, output.Count);
        Assert.NotEmpty(errors); // what -v tells
    }

    [Fact]
    public async Task Command_WithoutVerbose_TellsNothingButItsResult()
    {
        var (exitCode, output, errors) = await RunAsync(["context", "list", "--json", "--store", _place.Store]);
        Assert.Equal(0, exitCode);
        Assert.Equal("[]", Assert.Single(output));
        Assert.Empty(errors);
    }

    [Fact]
    public async Task Settings_FlagOverEnvironmentOverFile()
    {
        _place.Write("appsettings.json", JsonSerializer.Serialize(new { Granary = new { Store = _place.Path("file"), Tenant = "from-file" } }));
        var environment = new Dictionary<string, string?> { ["Granary__Store"] = _place.Path("environment"), ["Granary__Residency__BudgetBytes"] = "100" };
        string[] create = ["context", "create", "a", "--model", Workplace.Model("serial"), "--tokens", "1", "--json"];
        var (exitCode, _, errors) = await RunAsync(create, environment);
        Assert.Equal(4, exitCode);
        Assert.Contains("KvBudgetExceeded", errors[^1], StringComparison.Ordinal);
        environment["Granary__Residency__BudgetBytes"] = null;
        Assert.Equal(0, (await RunAsync(create, environment)).ExitCode);
        Assert.Equal(0, (await RunAsync([.. create, "--store=" + _place.Path("flag")], environment)).ExitCode);
        Assert.Contains("contexts/from-file/serial/a.json", Workplace.Objects(_place.Path("environment")));
        Assert.Contains("contexts/from-file/serial/a.json", Workplace.Objects(_place.Path("flag")));
        Assert.False(Directory.Exists(_place.Path("file")));
    }

    [Fact]
    public async Task Interrupt_DuringPrecompute_IsCancelledAndTheStoreIsUsable()
    {
        string[] precompute = ["dataset", "precompute", Repository.GetPath("datasets/ledgers.jsonl"), "--model", Workplace.SampleModel, "--store", _place.Store, "--json"];
        await using (var process = Start([.. precompute]))
        {
            await process.WaitForLineAsync(line => line.StartsWith("contexts: ", StringComparison.Ordinal) && !line.StartsWith("contexts: 0", StringComparison.Ordinal));
            await using var kill = ChildProcess.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]);
            Assert.Equal(0, await kill.WaitForExitAsync());
            Assert.Equal(130, await process.WaitForExitAsync());
            Assert.Empty(process.Output);
            Assert.Equal("Cancelled", (string?)JsonNode.Parse(process.Errors[^1])?["error"]?["code"]);
        }

        var again = (await _place.RunAsync(precompute)).Succeeded().Result;
        Assert.Equal(24, ((int?)again["done"] ?? 0) + ((int?)again["skipped"] ?? 0));
        Assert.True((int?)again["skipped"] > 0);
    }

    [Fact]
    public async Task Interrupt_DuringBench_IsCancelled()
    {
        await using var process = Start(["bench", "engine", Workplace.SampleModel, "--rounds", "10000", "--works", "prefill", "--prefill", "512", "-v", "--json"]);
        await process.WaitForLineAsync(line => line.StartsWith("round 2 ", StringComparison.Ordinal));
        await using var kill = ChildProcess.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]);
        Assert.Equal(0, await kill.WaitForExitAsync());
        Assert.Equal(130, await process.WaitForExitAsync());
        Assert.Empty(process.Output);
    }

    private ChildProcess Start(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null) =>
        ChildProcess.Start(GranaryProcess.ExecutablePath, arguments, environment, _place.Folder);

    private async Task<(int ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors)> RunAsync(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        await using var process = Start(arguments, environment);
        return (await process.WaitForExitAsync(), process.Output, process.Errors);
    }
}
