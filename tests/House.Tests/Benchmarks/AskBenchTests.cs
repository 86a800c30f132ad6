using System.Text.Json;
using Granary.Testing;
using Granary.Testing.Processes;

namespace Granary.House.Tests.Benchmarks;

public sealed class AskBenchTests
{
    private static readonly string BuildFolder = Path.Combine([.. Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory).Split('/')[^3..]]);
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("--rounds is 0, at least 1 is needed.", "--rounds", "0")]
    [InlineData("--resident and --activations are 12 together, --contexts has 10.", "--contexts", "10", "--resident", "5", "--activations", "7")]
    [InlineData("--asks is 5, which two silos cannot share evenly.", "--asks", "5")]
    [InlineData("'all' not recognized", "--works", "token", "all")]
    public async Task Arguments_ThatCannotBe_AreRefused(string message, params string[] arguments)
    {
        await using var bench = Start(arguments);

        Assert.Equal(1, await bench.WaitForExitAsync(MostTime));
        Assert.Contains(message, string.Join('\n', bench.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Tiny_MeasuresEveryRow()
    {
        await using var bench = Start(
            "--works", "scale", "token", "paced", "--rounds", "1", "--threads", "1", "--tokens", "4", "--pace", "2", "--contexts", "1040", "--resident", "3", "--activations", "1010", "--json");

        var exitCode = await bench.WaitForExitAsync(MostTime);

        Assert.True(exitCode == 0, bench.Tail());
        var rows = JsonDocument.Parse(string.Join('\n', bench.Output)).RootElement.GetProperty("rows").EnumerateArray().ToList();
        Assert.Equal(
            ["paced 8", "scale 9", "token 6"],
            rows.CountBy(static row => row.GetProperty("work").GetString() ?? "").Select(static work => $"{work.Key} {work.Value}").Order(StringComparer.Ordinal));
        Assert.All(rows, static row => Assert.NotEqual(0, row.GetProperty("samples").GetArrayLength()));
    }

    private static ChildProcess Start(params string[] arguments) => ChildProcess.Start(Repository.GetPath($"bench/Ask/bin/{BuildFolder}/Granary.Bench.Ask"), arguments);
}
