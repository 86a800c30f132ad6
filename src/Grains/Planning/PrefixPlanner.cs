using System.Collections.Concurrent;
using Granary.Contexts;
using Granary.Grains.Contexts;
using Granary.Grains.Models;
using Granary.Grains.Residency;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Planning;

/// <summary>Makes the plans of this silo, and keeps what they learn: how fast the store gives pages, and how fast the engine computes them.</summary>
internal sealed partial class PrefixPlanner(ChunkProbe probe, KvRegistry registry, IOptions<PlanOptions> options, TimeProvider time, ILogger<PrefixPlanner> logger) : IAsyncDisposable
{
    // Rows of a step that runs as a page's do; and how long a first one may take that is run again, now that its code is compiled.
    private const int ProbeTokens = 64;
    private static readonly TimeSpan ShortProbe = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<string, ModelPace> _models = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private Task _probing = Task.CompletedTask;
    private bool _isDisposed;

    /// <summary>Gets how fast the store gives pages.</summary>
    public StoreSpeed Store { get; } = new(time);

    /// <summary>Gets what is known of a model.</summary>
    public ModelPace PaceOf(string model) => _models.GetOrAdd(model, static _ => new ModelPace());

    /// <summary>Makes the plan of a chain.</summary>
    public PrefixPlan Begin(FillRequest request)
    {
        var choice = options.Value.Resolve(request.Plan);
        if (choice == PlanChoice.Auto && Store.IsProbeDue(PaceOf(request.Model.Id).Loads))
        {
            _ = ProbeStore(); // nobody waits for that
        }

        var pages = Array.ConvertAll(
            request.Chain, chunk => new PlannedPage(ChunkStore.StoredBytes(chunk), request.Model.Loaded.PrefillOperations(chunk.Start, chunk.Count)));
        return new PrefixPlan(pages, choice, Store, PaceOf(request.Model.Id));
    }

    /// <summary>Measures the store in the background, unless that is being done.</summary>
    /// <returns>The measurement's end, which nobody has to wait for; it does not fail.</returns>
    public Task ProbeStore()
    {
        lock (_gate)
        {
            return _probing = _probing.IsCompleted && !_isDisposed ? Task.Run(ProbeStoreAsync) : _probing;
        }
    }

    /// <summary>Measures how fast a model's pages are computed.</summary>
    /// <param name="model">The model, which nobody asks yet.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task ProbePrefillAsync(ServedModel model, CancellationToken cancellationToken)
    {
        var loaded = model.Loaded;
        var tokens = Math.Min(ProbeTokens, Math.Min(loaded.Layout.PageSize, loaded.Config.Window));
        using var reservation = registry.Budget.TryAdmit(loaded.Layout.BytesOf(tokens));
        if (reservation is null)
        {
            return; // a load waits for nobody's memory: the first page that is computed tells
        }

        var page = KvPage.Allocate(loaded.Layout, 0, tokens, reservation);
        try
        {
            var took = await ComputeAsync();
            if (took < ShortProbe)
            {
                took = await ComputeAsync();
            }

            PaceOf(model.Id).Prefill.Observe(loaded.PrefillOperations(0, tokens), took);
        }
        finally
        {
            page.Release();
        }

        Task<TimeSpan> ComputeAsync() => loaded.PrefillPageAsync([], page, new int[tokens], batch: false, cancellationToken, followsAdmitted: true);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Task probing;
        lock (_gate)
        {
            if (_isDisposed)
            {
                return; // by the silo's lifecycle, before the store goes; the container comes later
            }

            _isDisposed = true;
            probing = _probing;
        }

        await _stopping.CancelAsync();
        await probing;
        _stopping.Dispose();
    }

    private async Task ProbeStoreAsync()
    {
        try
        {
            if (await probe.RunAsync(_stopping.Token) is { } result)
            {
                Store.Seed(result.Wait, result.Bytes, result.Reading);
                Log.StoreProbed(logger, result.Wait.TotalMilliseconds, result.Bytes / result.Reading.TotalSeconds / 1e6);
            }
        }
        catch (StorageException e)
        {
            Log.StoreProbeFailed(logger, e.Message);
        }
        catch (OperationCanceledException)
        {
            // The silo stops.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.StoreProbed, LogLevel.Debug, "The store gives a page's first byte after {Milliseconds:F2} ms, and then {MegabytesPerSecond:F0} MB/s")]
        public static partial void StoreProbed(ILogger logger, double milliseconds, double megabytesPerSecond);

        [LoggerMessage(EventIds.StoreProbeFailed, LogLevel.Debug, "The store's speed could not be measured ({Reason}); what was known of it holds")]
        public static partial void StoreProbeFailed(ILogger logger, string reason);
    }
}
