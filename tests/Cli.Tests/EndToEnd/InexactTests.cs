using System.Text.Json.Nodes;
using Granary.Cli.Arguments;
using Granary.Cli.Sessions;
using Granary.Cli.Tests.Fakes;
using Granary.Client;
using Granary.Grains.Hosting;
using Granary.Grains.Models;
using Granary.Inference.Tests.Engine;
using Granary.Silo;
using Granary.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Where the self-test fails, every verb that shows a result says so: its document in <c>exact</c>, its text in a line that begins with <c>inexact</c>.</summary>
public sealed class InexactTests : IDisposable
{
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task ModelInfo_SaysThatTheTestFailed()
    {
        var info = (await RunAsync("model", "info", Workplace.SampleModel, "--json")).Succeeded().Result;
        Assert.Equal((false, "inexact"), ((bool?)info["numerics"]?["exact"], (string?)info["numerics"]?["parts"]?["history"]));
        Assert.True((double?)info["selfTestSeconds"] > 0, info.ToJsonString());

        var shown = await RunAsync("model", "info", Workplace.SampleModel);
        Assert.Matches(@"self-test +failed in \d+\.\d\d s: inexact, equal bits are not promised", shown.Output);
        Assert.Matches(@"numerics +[0-9a-f]{32}, inexact", shown.Output);
    }

    [Fact]
    public async Task ModelForward_SaysSo()
    {
        string[] arguments = ["model", "forward", Workplace.SampleModel, "--tokens", "1,2,3", "--out", _place.Path("forward.safetensors")];
        await AssertSaidAsync("inexact: the self-test failed where this was computed", arguments);
    }

    [Fact]
    public async Task Contexts_CreateAskScoreAppendGenerate_SaySo()
    {
        await using var silo = await UnsteadySession.OpenAsync(_place, always: false);
        const string Note = "inexact: the self-test failed where this was computed";
        string[] model = ["--model", Workplace.SampleModel];
        await AssertSaidAsync(Note, ["context", "create", "said", .. model, "--text", "The herd of Kelwick is"], silo);
        await AssertSaidAsync(Note, ["context", "ask", "said", " horses", .. model, "--max-new-tokens", "1"], silo);
        await AssertSaidAsync(Note, ["context", "score", "said", " horses", " sheep", .. model], silo);
        await AssertSaidAsync(Note, ["context", "append", "said", .. model, "--text", " horses."], silo);
        await AssertSaidAsync(Note, ["generate", .. model, "--context", "The herd", "--prompt", " of", "--max-new-tokens", "1"], silo);
    }

    [Fact]
    public async Task ModelList_SilosServeTheModel_SaysSo()
    {
        await using var silo = await UnsteadySession.OpenAsync(_place, always: false);
        var none = (await RunAsync(silo, "model", "list", "--json")).Succeeded().Result.AsArray();
        Assert.Empty(none);
        (await RunAsync(silo, "context", "create", "listed", "--model", Workplace.SampleModel, "--tokens", "1", "--json")).Succeeded();

        var listed = Assert.Single((await RunAsync(silo, "model", "list", "--json")).Succeeded().Result.AsArray());
        Assert.Equal((false, true), ((bool?)listed?["exact"], listed?["numerics"] is not null));
        Assert.Contains("inexact: the self-test failed where ledger-4m is served", (await RunAsync(silo, "model", "list")).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Datasets_PrecomputeStatusAsk_SaySo()
    {
        await using var silo = await UnsteadySession.OpenAsync(_place, always: false);
        const string Note = "inexact: the self-test failed where this was computed";
        var file = _place.Write("two.jsonl", string.Join('\n', File.ReadLines(Repository.GetPath("datasets/ledgers.jsonl")).Take(2)));
        await AssertSaidAsync("inexact: the self-test failed where this would be computed", ["dataset", "estimate", file, "--model", Workplace.SampleModel], silo);
        await AssertSaidAsync(Note, ["dataset", "precompute", file, "--model", Workplace.SampleModel], silo);
        await AssertSaidAsync(Note, ["dataset", "status", "two"], silo);
        await AssertSaidAsync(Note, ["dataset", "ask", "two", "--out", _place.Path("answers.jsonl"), "--max-new-tokens", "1"], silo);
        Assert.All(File.ReadLines(_place.Path("answers.jsonl")), static line => Assert.False((bool?)JsonNode.Parse(line)?["exact"]));
    }

    [Fact]
    public async Task Demo_AnswersAreEqual_SaysSoAndSucceeds()
    {
        BundleTwoItems();
        var demo = (await RunAsync("demo", "--json")).Succeeded().Result;
        Assert.Equal((false, 1.0), ((bool?)demo["exact"], (double?)demo["equalAnswers"]));

        var shown = await RunAsync("demo");
        Assert.Equal(0, shown.ExitCode);
        Assert.Contains("inexact: ", shown.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demo_AnswersDiffer_FailsAndBlamesTheNumerics()
    {
        BundleTwoItems();
        var demo = await RunAsync(new UnsteadySessions(_place, always: true), "demo", "--json");
        Assert.Equal(1, demo.ExitCode);
        Assert.False((bool?)demo.Result["exact"]);
        Assert.Contains("inexact", demo.Error.Message, StringComparison.Ordinal);
    }

    // As JSON the document says so and nothing else is told; to people one line does.
    private async Task AssertSaidAsync(string note, string[] arguments, UnsteadySession? silo = null)
    {
        var sessions = silo ?? (IGranarySessions)new UnsteadySessions(_place, always: false);
        var documents = (await RunAsync(sessions, [.. arguments, "--json"])).Succeeded();
        Assert.All(documents.Output.TrimEnd('\n').Split('\n'), static line => Assert.False((bool?)JsonNode.Parse(line)?["exact"] ?? true, line));
        Assert.DoesNotContain("inexact: ", documents.Errors, StringComparison.Ordinal);

        var shown = await RunAsync(sessions, arguments);
        Assert.True(shown.ExitCode == 0, shown.Errors);
        Assert.Single(shown.Errors.Split('\n'), line => line.StartsWith(note, StringComparison.Ordinal));
    }

    private void BundleTwoItems()
    {
        Directory.CreateDirectory(_place.Path("models"));
        Directory.CreateSymbolicLink(_place.Path("models/ledger-4m"), Workplace.SampleModel);
        Directory.CreateDirectory(_place.Path("datasets"));
        _place.Write("datasets/ledgers.jsonl", string.Join('\n', File.ReadLines(Repository.GetPath("datasets/ledgers.jsonl")).Take(2)));
    }

    private Task<CommandRun> RunAsync(params string[] arguments) => RunAsync(new UnsteadySessions(_place, always: false), arguments);

    private Task<CommandRun> RunAsync(IGranarySessions sessions, params string[] arguments) => RunAsync(_place, sessions, arguments);

    private static async Task<CommandRun> RunAsync(Workplace place, IGranarySessions sessions, IReadOnlyList<string> arguments)
    {
        var terminal = new TestTerminal();
        var surroundings = new CommandSurroundings(terminal, sessions, place.Folder, place.Folder) { Loading = UnsteadyModel.Options(place.Folder) };
        var exitCode = await new GranaryCommand(surroundings).RunAsync([.. arguments, $"--store={place.Store}"], TestContext.Current.CancellationToken);
        return new CommandRun(exitCode, terminal.Output.ToString(), terminal.Errors.ToString());
    }

    // A silo for each command, as a process would have; another process is another run of the command.
    private sealed class UnsteadySessions(Workplace place, bool always) : IGranarySessions
    {
        public async Task<IGranarySession> OpenAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken) =>
            await UnsteadySession.OpenAsync(place, always);

        public Task ServeAsync(Settings settings, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async Task<int> RunSelfAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken)
        {
            var run = await InexactTests.RunAsync(place, this, [.. arguments.Where(static argument => !argument.StartsWith("--store", StringComparison.Ordinal))]);
            foreach (var line in run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                error(line);
            }

            return run.ExitCode;
        }
    }

    // An embedded silo whose models fail their self-test; as sessions, the one that all commands of a test use.
    private sealed class UnsteadySession(IHost host) : IGranarySession, IGranarySessions
    {
        private int _borrowers = 1;

        public IGranaryClient Client => host.Services.GetRequiredService<IGranaryClient>();

        public static async Task<UnsteadySession> OpenAsync(Workplace place, bool always)
        {
            var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
            builder.Services.AddSingleton(UnsteadyModel.Options(place.Folder, always));
            builder.Configuration["Granary:Plan:Default"] = "load";
            builder.AddGranaryEmbedded(new GranaryOptions { Store = place.Store, Engine = { Threads = 1 } });
            var host = builder.Build();
            await host.StartAsync(TestContext.Current.CancellationToken);
            return new UnsteadySession(host);
        }

        public Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken) =>
            host.Services.GetRequiredService<SiloModels>().LoadAsync(modelId, new ModelOptions { Path = folder, Dtype = dtype, Codec = codec }, cancellationToken);

        public Task<IGranarySession> OpenAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken)
        {
            _borrowers++;
            return Task.FromResult<IGranarySession>(this);
        }

        public Task ServeAsync(Settings settings, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<int> RunSelfAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async ValueTask DisposeAsync()
        {
            if (--_borrowers == 0)
            {
                await host.StopAsync();
                host.Dispose();
            }
        }
    }
}
