using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Grains.Stores;
using Granary.Grains.Telemetry;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Contexts;

/// <summary>Fills a lease page by page: a page in memory is shared, a stored one is read and checked, any other is computed (DESIGN §2.2, §2.3).</summary>
/// <remarks>The plan says which stored pages are loaded. A stored page that does not match is counted, recomputed and repaired (invariant 1).</remarks>
internal sealed class PageFiller(
    KvRegistry registry, ChunkStore chunks, PrefixPlanner planner, IOptions<ResidencyOptions> options, TimeProvider time, ILogger<PageFiller> logger)
{
    private readonly SemaphoreSlim _writes = new(options.Value.ConcurrentWrites);
    private long _prefilledTokens;

    /// <summary>Gets the tokens of pages that this silo has computed.</summary>
    public long PrefilledTokens => Interlocked.Read(ref _prefilledTokens);

    /// <summary>Fills a lease and opens it for readers. Whatever fails leaves nothing behind; writes that are under way hold their own references.</summary>
    /// <param name="lease">The lease; its caller holds the filling reader.</param>
    /// <param name="request">Its pages.</param>
    /// <param name="filled">Told the tokens that are there after each page.</param>
    /// <param name="cancellationToken">Stops between pages, or at the engine's next step.</param>
    public async Task<FillOutcome> FillAsync(ContextLease lease, FillRequest request, Action<int> filled, CancellationToken cancellationToken)
    {
        var outcome = new FillOutcome();
        var prefix = new List<KvPage>(request.Chain.Length);
        var plan = planner.Begin(request);
        await using var search = new PageSearch(registry, chunks, request, plan, time, logger, cancellationToken);
        for (var index = 0; index < request.Chain.Length; index++)
        {
            var chunk = request.Chain[index];
            // Invariant 8: whoever comes second waits for the first, and then finds the page in the table.
            using var found = await search.NextAsync();
            var hash = chunk.Hash.ToString();
            if (found.Source is PageSource.Nowhere or PageSource.Unread)
            {
                var asked = time.GetTimestamp();
                outcome.PrefillTime += await ComputeAsync(chunk, found.Page, prefix, request, followsAdmitted: outcome.RecomputedTokens > 0, cancellationToken);
                plan.Computed(index, time.GetElapsedTime(asked));
                outcome.RecomputedTokens += chunk.Count;
                outcome.MissingTokens += !request.Private && found.Source == PageSource.Nowhere ? chunk.Count : 0;
                Instruments.PrefillTokens.Add(chunk.Count);
                Interlocked.Add(ref _prefilledTokens, chunk.Count);
            }

            var page = request.Private || found.Source == PageSource.Memory ? found.Take() : registry.Pages.Share(hash, found.Take());
            outcome.ResidentTokens += found.Source == PageSource.Memory ? chunk.Count : 0;
            outcome.RestoredTokens += found.Source == PageSource.Store ? chunk.Count : 0;
            lease.Attach(page);
            prefix.Add(page);
            filled(page.Start + page.Count);

            // A creation touches what it found present and learns its checksum; a restore leaves it alone, as it does what it did not read.
            if (request.Persist && !request.IsStoreSilent && (found.Source == PageSource.Nowhere || !request.ExpectStored))
            {
                outcome.Writes.Add(WriteAsync(chunk, page, found.Bad, request.Room));
            }
        }

        lease.Complete();
        outcome.Reason = plan.Explain(outcome.RestoredTokens, outcome.RecomputedTokens, outcome.MissingTokens);
        Instruments.QueriedTokens.Add(outcome.ResidentTokens + outcome.RestoredTokens + outcome.RecomputedTokens);
        Instruments.HitTokens.Add(outcome.ResidentTokens, Instruments.Tag("tier", "device"));
        Instruments.HitTokens.Add(outcome.RestoredTokens, Instruments.Tag("tier", "store"));
        return outcome;
    }

    private async Task<TimeSpan> ComputeAsync(
        ChunkIdentity chunk, KvPage page, List<KvPage> prefix, FillRequest request, bool followsAdmitted, CancellationToken cancellationToken)
    {
        var work = new DeviceWork<TimeSpan>(model => model.PrefillPageAsync(prefix, page, chunk.TokenIds, request.Batch, cancellationToken, followsAdmitted));
        var id = registry.Add(work);
        try
        {
            await request.Worker.StartAsync(id);
            return await work.Result;
        }
        finally
        {
            registry.Remove(id);
        }
    }

    private Task<PageWrite> WriteAsync(ChunkIdentity chunk, KvPage page, ObjectVersion? bad, StoredRoom room)
    {
        page.AddReference();
        return Task.Run(async () =>
        {
            await _writes.WaitAsync();
            try
            {
                var write = await chunks.WriteAsync(chunk, page, bad);
                var written = write.Existed ? 0 : write.Bytes;
                Instruments.PersistBytes.Add(written);
                room.NoteWritten(written);
                return new PageWrite(chunk.Hash.ToString(), write.Checksum, written);
            }
            finally
            {
                _writes.Release();
                page.Release();
            }
        });
    }
}
