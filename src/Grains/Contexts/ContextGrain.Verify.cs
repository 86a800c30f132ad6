using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Grains.Residency;
using Granary.Grains.Transitions;
using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    private const int MostReadsAtOnce = 4;
    private const int ProbePromptTokens = 8;
    private const int ProbeNewTokens = 16;

    /// <inheritdoc/>
    public IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken) =>
        _work.ServeAsync(VerifyStreamAsync(cancellationToken));

    private async IAsyncEnumerable<VerifyProgress> VerifyStreamAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        var manifest = (await LoadAsync(cancellationToken, fresh: true) ?? throw NotFound()).Manifest;
        var total = 2 * manifest.TokenIds.Length;
        yield return new VerifyProgress(0, total);
        await foreach (var (done, result) in FollowedWork.RunAsync((report, stopping) => VerifyOnceAsync(manifest, arrived, report, stopping), cancellationToken))
        {
            yield return result is null ? new VerifyProgress(done, total) : new VerifyProgress(total, total, result);
        }
    }

    // Both copies are this verification's own: what is resident is neither looked at nor touched. Their bytes, and those of the answers after them, are admitted up front.
    private async Task<ContextVerified> VerifyOnceAsync(ContextManifest manifest, long arrived, Action<int> report, CancellationToken cancellationToken)
    {
        var (layout, tokens) = (Model.Loaded.Layout, manifest.TokenIds.Length);
        var left = Model.Loaded.Config.Window - tokens;
        var prompt = manifest.TokenIds[..Math.Clamp(left - 1, 0, Math.Min(tokens, ProbePromptTokens))];
        var newTokens = prompt.Length == 0 ? 0 : Math.Min(ProbeNewTokens, left - prompt.Length);
        var chain = await ChainOfAsync(manifest, cancellationToken);
        using var bytes = await registry.Budgets.AdmitAsync(manifest.ChunkTenant, 2 * layout.BytesOf(tokens + prompt.Length + newTokens), batch: false, cancellationToken);
        var (stored, fresh) = (registry.Open(activation, manifest.ChunkTenant, reclaimFirst: true), registry.Open(activation, manifest.ChunkTenant, reclaimFirst: true));
        using var storedReader = stored.BeginFill();
        using var freshReader = fresh.BeginFill();
        try
        {
            var faults = await ReadAllAsync(stored, manifest, chain, bytes, report, cancellationToken);
            var filling = new FillRequest { Model = Model, Worker = Worker, Chain = chain, Reservation = bytes, Private = true };
            await filler.FillAsync(fresh, filling, filled => report(tokens + filled), cancellationToken);
            var tolerance = Model.IsExact ? 0 : layout.StoredDtype == KvDtype.BFloat16 ? 5e-2 : 1e-4; // DESIGN §3
            var pages = await Task.Run(() => Compare(chain, storedReader.Pages, freshReader.Pages, faults, tolerance, cancellationToken), cancellationToken);
            bool? sameAnswer = null;
            if (newTokens > 0 && faults.TrueForAll(static fault => fault is null))
            {
                var ofStored = await ProbeAsync(storedReader.Pages, tokens, prompt, newTokens, bytes, cancellationToken);
                var ofFresh = await ProbeAsync(freshReader.Pages, tokens, prompt, newTokens, bytes, cancellationToken);
                sameAnswer = ofStored.AsSpan().SequenceEqual(ofFresh);
            }

            return new ContextVerified
            {
                Context = ManifestDescription.Of(manifest, _lease is { IsResident: true }),
                Equal = pages.Count == 0 && (sameAnswer != false || !Model.IsExact),
                Pages = chain.Length,
                EqualPages = chain.Length - pages.Count,
                Faults = [.. pages],
                ProbeTokens = sameAnswer is null ? 0 : newTokens,
                ProbeEqual = sameAnswer,
                Numerics = Model.Numerics,
                Exact = Model.IsExact,
                Tolerance = tolerance,
                Seconds = time.GetElapsedTime(arrived).TotalSeconds,
            };
        }
        finally
        {
            // The readers keep the pages; with them they go.
            stored.Close();
            fresh.Close();
        }
    }

    // Returns each page's fault, or null. A page that has one has no content.
    private async Task<List<ChunkFault?>> ReadAllAsync(
        ContextLease lease, ContextManifest manifest, ChunkIdentity[] chain, KvReservation bytes, Action<int> report, CancellationToken cancellationToken)
    {
        var checksums = manifest.Chunks.GetValueOrDefault(Model.Numerics)?.ToDictionary(static chunk => chunk.Hash, static chunk => chunk.Checksum);
        var faults = new List<ChunkFault?>(chain.Length);
        foreach (var few in chain.Chunk(MostReadsAtOnce))
        {
            var reads = few.Select(async chunk =>
            {
                var page = KvPage.Allocate(Model.Loaded.Layout, chunk.Start, chunk.Count, bytes);
                lease.Attach(page); // whatever fails, it goes with the lease
                return (await chunkStore.ReadAsync(chunk, checksums?.GetValueOrDefault(chunk.Hash.ToString()), page, cancellationToken)).Fault;
            });
            faults.AddRange(await Task.WhenAll(reads)); // even where one throws, none writes to a page after this
            report(few[^1].Start + few[^1].Count);
        }

        return faults;
    }

    private static List<VerifiedPage> Compare(
        ChunkIdentity[] chain, IReadOnlyList<KvPage> stored, IReadOnlyList<KvPage> fresh, List<ChunkFault?> faults, double tolerance, CancellationToken cancellationToken)
    {
        var found = new List<VerifiedPage>();
        for (var i = 0; i < chain.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (start, count) = (chain[i].Start, chain[i].Count);
            if (faults[i] is { } fault)
            {
                found.Add(new VerifiedPage(i, start, count, fault.Name()));
            }
            else if (PageComparison.FindDifference(stored[i], fresh[i], tolerance) is { } difference)
            {
                var (values, layer, isValue, head, token, channel, largest) = difference;
                found.Add(new VerifiedPage(i, start, count, "differs", new PageDifference(values, layer, isValue ? "value" : "key", head, start + token, channel, largest)));
            }
        }

        return found;
    }

    // Greedy, whatever the tokens mean: the context's own first ids are in the vocabulary.
    private async Task<int[]> ProbeAsync(IReadOnlyList<KvPage> pages, int start, int[] prompt, int newTokens, KvReservation bytes, CancellationToken cancellationToken)
    {
        using var tail = KvTail.Allocate(Model.Loaded.Layout, start, prompt.Length + newTokens, bytes);
        var work = new DeviceWork<GenerationResult>(model => model.GenerateAsync(new GenerationWork
        {
            Pages = pages,
            PromptIds = prompt,
            Tail = tail,
            Options = new SamplingOptions { MaxNewTokens = newTokens, IgnoreEos = true },
            CancellationToken = cancellationToken,
        }));
        var id = registry.Add(work);
        try
        {
            await Worker.StartAsync(id);
            return (await work.Result).TokenIds;
        }
        finally
        {
            registry.Remove(id);
        }
    }
}
