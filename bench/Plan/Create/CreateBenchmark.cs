using Granary.Client;
using Granary.Contexts;
using Granary.Inference.Benchmarks;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Silo;
using Granary.Storage.Objects;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Bench.Plan.Create;

/// <summary>The run: each round creates a context of new ids until it is durable, and computes the same ids without storing them; they take turns in going first.</summary>
internal static class CreateBenchmark
{
    private const string ModelId = "bench";
    private const int MostIds = 50_000;

    public static async Task<CreateReport> RunAsync(CreateOptions options, CancellationToken cancellationToken)
    {
        var (started, loadBefore) = (TimeProvider.System.GetUtcNow(), MachineFacts.Load());
        var rows = new List<CreateRow>();
        foreach (var dtype in options.Dtypes)
        {
            rows.Add(await MeasureAsync(options, dtype, cancellationToken));
        }

        return new CreateReport { Started = started, LoadBefore = loadBefore, LoadAfter = MachineFacts.Load(), Options = options, Rows = rows };
    }

    private static async Task<CreateRow> MeasureAsync(CreateOptions options, KvDtype dtype, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(options.Folder, $"create-{Guid.NewGuid():N}");
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.AddGranaryEmbedded(
            new GranaryOptions { Models = { [ModelId] = new() { Path = options.Model, Dtype = dtype.Name() } }, Engine = { Threads = options.Threads } },
            new FolderObjectStore(folder, TimeProvider.System));
        using var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);

            // The silo's own engine, so that both run on the same threads; the weights are mapped, and so in memory once.
            var model = await host.Services.GetRequiredService<DeviceEngine>().LoadAsync(options.Model, ModelId, new ModelLoadOptions(dtype), cancellationToken);
            using var bare = await BarePrefill.OfAsync(model, options.Tokens, cancellationToken);
            return await MeasureAsync(options, dtype, host.Services.GetRequiredService<IGranaryClient>(), bare, cancellationToken);
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<CreateRow> MeasureAsync(CreateOptions options, KvDtype dtype, IGranaryClient client, BarePrefill bare, CancellationToken cancellationToken)
    {
        var random = new Random(1);
        var row = new CreateRow(dtype.Name());
        for (var round = 0; round <= options.Rounds; round++)
        {
            int[] ids = [.. Enumerable.Range(0, options.Tokens).Select(_ => random.Next(1, MostIds))];
            var bareFirst = round % 2 == 1;
            var before = bareFirst ? await bare.TimeAsync(ids, cancellationToken) : 0;
            var (resident, stored) = await CreateAsync(client, FormattableString.Invariant($"create-{round}"), ids, cancellationToken);
            var prefill = bareFirst ? before : await bare.TimeAsync(ids, cancellationToken);
            if (round > 0)
            {
                row.Add(prefill, resident, stored);
            }
        }

        return row;
    }

    // Seconds until the context answers, and until it is durable.
    private static async Task<(double Resident, double Stored)> CreateAsync(IGranaryClient client, string name, int[] ids, CancellationToken cancellationToken)
    {
        var context = client.Context(ModelId, name);
        var (resident, computed) = (0.0, 0);
        var started = TimeProvider.System.GetTimestamp();
        var stored = await Clock.TimeAsync(async () =>
        {
            await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken))
            {
                if (progress.Stage == ContextStage.Resident)
                {
                    resident = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
                }

                computed = progress.Result?.PrefilledTokens ?? computed;
            }
        });
        await context.DeleteAsync(cancellationToken); // its memory is the next round's
        return computed == ids.Length ? (resident, stored) : throw new InvalidOperationException($"{computed} of {ids.Length} tokens were computed: '{name}' was no new context.");
    }
}
