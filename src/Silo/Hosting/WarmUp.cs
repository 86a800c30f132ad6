using System.Diagnostics;
using System.Globalization;
using Granary.Client;
using Granary.Contexts;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Shapes;
using Granary.Storage.Objects;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Granary.Silo.Hosting;

/// <summary>Does once, before a silo of a cluster starts, what it will be asked for: in a silo of its own, on a model of a megabyte and a store in memory. .NET compiles a method at its first call, for which
/// the first callers of a silo that has just joined would wait up to a second.</summary>
internal sealed partial class WarmUp(GranaryEngineOptions engine, TimeProvider time, ILogger<WarmUp> logger)
{
    private const string Model = "warm-up";
    private const int Vocabulary = 256;
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MostStop = TimeSpan.FromSeconds(5);

    // Longer than a page, so that a page is full and the next one is not.
    private static readonly TokenInput Context = TokenInput.OfTokens([.. Enumerable.Range(0, 300).Select(static id => id % Vocabulary)]);
    private static readonly TokenInput Prompt = TokenInput.OfTokens([1, 2, 3]);

    /// <summary>Does it. What goes wrong is logged.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        using var limit = new CancellationTokenSource(MostTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await RunInFolderAsync(either.Token);
            Log.Ended(logger, time.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception e)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // The edge: a silo that cannot warm up serves all the same, its first callers later.
            Log.Failed(logger, e);
        }
    }

    private async Task RunInFolderAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("granary-warm-up-");
        try
        {
            var checkpoint = Path.Combine(folder.FullName, Model);
            RandomCheckpoint.Create(Shape(), seed: 0, checkpoint, cancellationToken: cancellationToken);
            await ServeAsync(checkpoint, new FingerprintCache(Path.Combine(folder.FullName, "fingerprints")), cancellationToken);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task ServeAsync(string checkpoint, FingerprintCache fingerprints, CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddSingleton(new ModelLoadOptions(Fingerprints: fingerprints));
        builder.Configuration[$"Granary:Models:{Model}:Path"] = checkpoint;
        builder.AddSilo(new GranaryOptions { Engine = engine, Silo = { Port = 0, GatewayPort = 0 }, Models = { [Model] = new() { Path = checkpoint } } }, new InMemoryObjectStore(time));
        using var host = builder.Build();
        await host.StartAsync(cancellationToken);
        try
        {
            // Over a connection, as other processes call: what messages are written and read with is compiled, too.
            var gateway = host.Services.GetRequiredService<IOptions<EndpointOptions>>().Value.GatewayPort;
            await using var connection = await GranaryConnection.ConnectAsync(
                options => options.Cluster = string.Create(CultureInfo.InvariantCulture, $"localhost:{gateway}"), logging: null, cancellationToken);
            await CallAsync(connection.Client, cancellationToken);
        }
        finally
        {
            using var patience = new CancellationTokenSource(MostStop, time);
            await host.StopAsync(patience.Token);
        }
    }

    private static async Task CallAsync(IGranaryClient client, CancellationToken cancellationToken)
    {
        var (context, fork) = (client.Context(Model, "warm-up"), client.Context(Model, "fork"));
        await EndAsync(context.CreateAsync(new CreateContextRequest { Input = Context }, cancellationToken));
        await EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = new() { MaxNewTokens = 8, Temperature = 1 } }, cancellationToken));
        await EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = new() { MaxNewTokens = 8 }, Keep = true }, cancellationToken));
        await EndAsync(context.AppendAsync(new AppendRequest { Input = Prompt }, cancellationToken));
        await EndAsync(fork.ForkAsync(new ForkRequest { Parent = "warm-up" }, cancellationToken));
        await context.EvictAsync(cancellationToken);
        await EndAsync(context.WarmAsync(new WarmRequest(), cancellationToken));
        await EndAsync(client.GenerateAsync(Model, new GenerateRequest { Context = Context, Prompt = Prompt, Options = new() { MaxNewTokens = 8 } }, null, cancellationToken));
        await context.ScoreAsync(new ScoreRequest { Continuations = [Prompt] }, cancellationToken);
        await context.UpdateAsync(new UpdateContextRequest { SetLabels = { ["warm"] = "up" } }, cancellationToken);
        await context.GetAsync(cancellationToken);
        await EndAsync(client.ListContextsAsync(null, null, cancellationToken));
        await fork.DeleteAsync(cancellationToken);
    }

    private static async Task EndAsync<T>(IAsyncEnumerable<T> stream)
    {
        await foreach (var _ in stream)
        {
        }
    }

    private static ModelConfig Shape() => PythiaShapes.TryGet("14m", out var smallest)
        ? smallest with { Layers = 1, VocabularySize = Vocabulary, Window = 512, EosTokenId = null }
        : throw new UnreachableException("pythia-14m");

    private static partial class Log
    {
        [LoggerMessage(EventIds.WarmedUp, LogLevel.Information, "Warmed up in {Seconds:F2} s")]
        public static partial void Ended(ILogger logger, double seconds);

        [LoggerMessage(EventIds.WarmUpFailed, LogLevel.Warning, "Warming up failed: the first callers wait for what is compiled. Report it, or set Granary:Silo:WarmUp to false")]
        public static partial void Failed(ILogger logger, Exception error);
    }
}
