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

/// <summary>Does once, before the silo joins its cluster, what it will be asked for: in a silo of its own, on a model of a few kilobytes and a store in memory. .NET compiles a method at its first call, for which
/// the first callers of a silo that has just joined would wait up to a second.</summary>
/// <remarks>Hosted services start in the order of their registration: this one is registered before Orleans.</remarks>
internal sealed partial class WarmUp(IOptions<GranaryOptions> options, TimeProvider time, ILogger<WarmUp> logger) : IHostedService
{
    private const string Model = "warm-up";
    private const int Vocabulary = 256;
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(30);

    // Longer than a page, so that a page is full and the next one is not.
    private static readonly TokenInput Context = TokenInput.OfTokens([.. Enumerable.Range(0, 300).Select(static id => id % Vocabulary)]);
    private static readonly TokenInput Prompt = TokenInput.OfTokens([1, 2, 3]);

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        using var limit = new CancellationTokenSource(MostTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await RunAsync(either.Token);
            Log.Ended(logger, time.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The edge: a silo that cannot warm up serves all the same, its first callers later.
            Log.Failed(logger, e);
        }
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("granary-warm-up-");
        try
        {
            var checkpoint = Path.Combine(folder.FullName, Model);
            RandomCheckpoint.Create(Shape(), seed: 0, checkpoint, cancellationToken: cancellationToken);
            await RunAsync(checkpoint, new FingerprintCache(Path.Combine(folder.FullName, "fingerprints")), cancellationToken);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task RunAsync(string checkpoint, FingerprintCache fingerprints, CancellationToken cancellationToken)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddSingleton(new ModelLoadOptions(Fingerprints: fingerprints));
        builder.Configuration[$"Granary:Models:{Model}:Path"] = checkpoint;
        builder.AddSilo(new GranaryOptions { Engine = options.Value.Engine, Silo = { Port = 0, GatewayPort = 0 }, Models = { [Model] = new() { Path = checkpoint } } }, new InMemoryObjectStore(time));
        using var host = builder.Build();
        await host.StartAsync(cancellationToken);
        try
        {
            // Over a connection, as other processes call: what messages are written and read with is compiled, too.
            var gateway = host.Services.GetRequiredService<IOptions<EndpointOptions>>().Value.GatewayPort;
            await using var connection = await GranaryConnection.ConnectAsync(
                options => options.Cluster = string.Create(CultureInfo.InvariantCulture, $"localhost:{gateway}"), logging: null, cancellationToken);
            await ServeAsync(connection.Client, cancellationToken);
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static async Task ServeAsync(IGranaryClient client, CancellationToken cancellationToken)
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

    private static ModelConfig Shape() => new()
    {
        ModelType = "gpt_neox",
        Layers = 1,
        HiddenSize = 64,
        Heads = 2,
        KvHeads = 2,
        HeadDim = 32,
        IntermediateSize = 128,
        VocabularySize = Vocabulary,
        Window = 512,
        RotaryDimensions = 8,
        RotaryBase = 10000,
        LayerNormEpsilon = 1e-5,
        Activation = Activation.Gelu,
        ParallelResidual = true,
        TiedEmbeddings = false,
        AttentionBias = true,
    };

    private static partial class Log
    {
        [LoggerMessage(EventIds.WarmedUp, LogLevel.Information, "Warmed up in {Seconds:F2} s")]
        public static partial void Ended(ILogger logger, double seconds);

        [LoggerMessage(EventIds.WarmUpFailed, LogLevel.Warning, "Warming up failed: the first callers wait for what is compiled. Report it, or set Granary:Silo:WarmUp to false")]
        public static partial void Failed(ILogger logger, Exception error);
    }
}
