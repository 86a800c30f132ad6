using Granary.Grains.Residency;
using Granary.Grains.Telemetry;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Contexts;

/// <summary>Fills a lease page by page: a page in memory is shared, a stored one is read and checked, any other is computed (DESIGN §2.2, §2.3).</summary>
/// <remarks>The plan of this release always loads what is stored. A stored page that does not match is counted, recomputed and repaired (invariant 1).</remarks>
internal sealed partial class PageFiller(KvRegistry registry, ChunkStore chunks, IOptions<ResidencyOptions> options, ILogger<PageFiller> logger)
{
    private readonly SemaphoreSlim _writes = new(options.Value.ConcurrentWrites);

    /// <summary>Fills a lease and opens it for readers. Whatever fails leaves nothing behind; writes that are under way hold their own references.</summary>
    /// <param name="lease">The lease; its caller holds the filling reader.</param>
    /// <param name="request">Its pages.</param>
    /// <param name="filled">Told the tokens that are there after each page.</param>
    /// <param name="cancellationToken">Stops between pages, or at the engine's next step.</param>
    public async Task<FillOutcome> FillAsync(ContextLease lease, FillRequest request, Action<int> filled, CancellationToken cancellationToken)
    {
        var outcome = new FillOutcome();
        var prefix = new List<KvPage>(request.Chain.Length);
        var load = !request.Private;
        foreach (var chunk in request.Chain)
        {
            var hash = chunk.Hash.ToString();
            // Invariant 8: whoever comes second waits for the first, and then finds the page in the table.
            using var turn = request.Private ? null : await registry.Flights.EnterAsync(hash, cancellationToken);
            var page = request.Private ? null : registry.Pages.Find(hash);
            if (page is not null)
            {
                outcome.ResidentTokens += chunk.Count;
                Attach(page);
                if (request.Persist && !request.ExpectStored)
                {
                    outcome.Writes.Add(WriteAsync(chunk, page, null));
                }

                continue;
            }

            page = KvPage.Allocate(request.Model.Loaded.Layout, chunk.Start, chunk.Count, request.Reservation);
            var write = request.Persist;
            Storage.Objects.ObjectVersion? bad = null;
            try
            {
                var found = false;
                if (load)
                {
                    (found, bad, load) = await TryLoadAsync(chunk, page, request, cancellationToken);
                }

                if (found)
                {
                    outcome.RestoredTokens += chunk.Count;
                    // A creation touches what it found present and learns its checksum; a restore leaves it alone.
                    write = request.Persist && !request.ExpectStored;
                }
                else
                {
                    outcome.PrefillTime += await ComputeAsync(chunk, page, prefix, request, cancellationToken);
                    outcome.RecomputedTokens += chunk.Count;
                    Instruments.PrefillTokens.Add(chunk.Count);
                }
            }
            catch
            {
                page.Release();
                throw;
            }

            if (!request.Private)
            {
                page = registry.Pages.Share(hash, page);
            }

            Attach(page);
            if (write)
            {
                outcome.Writes.Add(WriteAsync(chunk, page, bad));
            }
        }

        lease.Complete();
        Instruments.QueriedTokens.Add(outcome.ResidentTokens + outcome.RestoredTokens + outcome.RecomputedTokens);
        Instruments.HitTokens.Add(outcome.ResidentTokens, Instruments.Tag("tier", "device"));
        Instruments.HitTokens.Add(outcome.RestoredTokens, Instruments.Tag("tier", "store"));
        return outcome;

        void Attach(KvPage page)
        {
            lease.Attach(page);
            prefix.Add(page);
            filled(page.Start + page.Count);
        }
    }

    // Returns whether the page was read, the version of a bad chunk, and whether later pages are worth looking for.
    private async Task<(bool Found, Storage.Objects.ObjectVersion? Bad, bool More)> TryLoadAsync(
        ChunkIdentity chunk, KvPage page, FillRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var read = await chunks.ReadAsync(chunk, request.Checksums.GetValueOrDefault(chunk.Hash.ToString()), page.Memory, cancellationToken);
            if (read.Fault is not { } fault)
            {
                Instruments.RestoreBytes.Add(page.Bytes);
                return (true, null, true);
            }

            if (fault != ChunkFault.Absent || request.ExpectStored)
            {
                Instruments.IntegrityFailures.Add(1, Instruments.Tag("reason", Reason(fault)));
                Log.Refused(logger, chunk.Start, Reason(fault), chunk.Hash.ToString());
            }

            return (false, read.Version, fault != ChunkFault.Absent || request.ExpectStored);
        }
        catch (StorageException e) when (request.ExpectStored)
        {
            // The store does not answer: what it holds can be computed (invariant 3).
            Log.Refused(logger, chunk.Start, e.Message, chunk.Hash.ToString());
            return (false, null, false);
        }
    }

    private async Task<TimeSpan> ComputeAsync(ChunkIdentity chunk, KvPage page, List<KvPage> prefix, FillRequest request, CancellationToken cancellationToken)
    {
        var work = new DeviceWork<TimeSpan>(model => model.PrefillPageAsync(prefix, page, chunk.TokenIds, request.Batch, cancellationToken));
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

    private Task<PageWrite> WriteAsync(ChunkIdentity chunk, KvPage page, Storage.Objects.ObjectVersion? bad)
    {
        page.AddReference();
        return Task.Run(async () =>
        {
            await _writes.WaitAsync();
            try
            {
                var write = bad is null
                    ? await chunks.WriteAsync(chunk, page.Memory, CancellationToken.None)
                    : await chunks.RepairAsync(chunk, page.Memory, bad, CancellationToken.None);
                Instruments.PersistBytes.Add(write.Existed ? 0 : write.Bytes);
                return new PageWrite(chunk.Hash.ToString(), write.Checksum, write.Existed ? 0 : write.Bytes);
            }
            finally
            {
                _writes.Release();
                page.Release();
            }
        });
    }

    private static string Reason(ChunkFault fault) => fault.ToString().ToLowerInvariant();

    private static partial class Log
    {
        [LoggerMessage(EventIds.ChunkRefused, LogLevel.Warning, "The stored page at token {Start} was refused ({Reason}); it is recomputed. Chunk {Hash}")]
        public static partial void Refused(ILogger logger, int start, string reason, string hash);
    }
}
