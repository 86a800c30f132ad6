using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Grains.Telemetry;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Contexts;

/// <summary>Looks for the pages of a chain, in memory and in the store, some ahead of the one that is wanted: a store answers several reads in the time of one.</summary>
/// <remarks>Not thread-safe: it lives on its grain's scheduler. What was found and not taken is released with it.</remarks>
internal sealed partial class PageSearch : IAsyncDisposable
{
    private const int MostAhead = 4;

    private readonly KvRegistry _registry;
    private readonly ChunkStore _chunks;
    private readonly FillRequest _request;
    private readonly PrefixPlan _plan;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping;
    private readonly Queue<Task<FoundPage>> _ahead = [];
    private int _next;
    private bool _looksInStore;
    private bool _isStoreSilent;
    private bool _hasFoundOne;
    private int _reads;
    private long _lastRead;

    /// <param name="registry">The pages in memory.</param>
    /// <param name="chunks">The pages in the store.</param>
    /// <param name="request">The chain, and where its pages may come from.</param>
    /// <param name="plan">Says which stored pages are loaded, and learns how long that took.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told what the store has that cannot be trusted.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public PageSearch(KvRegistry registry, ChunkStore chunks, FillRequest request, PrefixPlan plan, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        (_registry, _chunks, _request, _plan, _time, _logger) = (registry, chunks, request, plan, time, logger);
        _stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _looksInStore = !request.Private;
        if (request.IsStoreSilent)
        {
            NoteSilence();
        }
    }

    // Where nobody says that pages are stored, one look says whether more are worth it.
    private int Width => _looksInStore && IsSure ? MostAhead : 1;

    private bool IsSure => _request.ExpectStored || _hasFoundOne;

    /// <summary>Finds the next page, or gives the memory to compute it into. The caller has the turn at it until it disposes it.</summary>
    public async Task<FoundPage> NextAsync()
    {
        while (_next < _request.Chain.Length && _ahead.Count < Width)
        {
            _ahead.Enqueue(FindAsync(_next++));
        }

        var found = await _ahead.Dequeue();
        _hasFoundOne |= found.Source == PageSource.Store;
        return found;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_ahead.Count > 0)
        {
            await _stopping.CancelAsync();
        }

        foreach (var found in _ahead)
        {
            try
            {
                (await found).Dispose();
            }
            catch (Exception e) when (e is OperationCanceledException or StorageException)
            {
                // Nobody wants that page any more; what went wrong for the one before is on its way to the caller.
            }
        }

        _stopping.Dispose();
    }

    private async Task<FoundPage> FindAsync(int index)
    {
        var chunk = _request.Chain[index];
        if (_request.Private)
        {
            return new FoundPage(null, Allocate(chunk), PageSource.Nowhere, null);
        }

        var turn = await _registry.Flights.EnterAsync(chunk.Hash.ToString(), _stopping.Token);
        try
        {
            if (_registry.Pages.Find(chunk.Hash.ToString()) is { } resident)
            {
                return new FoundPage(turn, resident, PageSource.Memory, null);
            }

            var page = Allocate(chunk);
            try
            {
                var (source, bad) = _isStoreSilent || (_looksInStore && !Loads(index))
                    ? (PageSource.Unread, null)
                    : _looksInStore ? await TryLoadAsync(index, page) : (PageSource.Nowhere, null);
                return new FoundPage(turn, page, source, bad);
            }
            catch
            {
                page.Release();
                throw;
            }
        }
        catch
        {
            turn.Dispose();
            throw;
        }
    }

    // What is to be stored is looked for in any case.
    private bool Loads(int index) => IsSure || _request.Persist ? _plan.Loads(index) : _plan.Looks(index);

    private KvPage Allocate(ChunkIdentity chunk) => KvPage.Allocate(_request.Model.Loaded.Layout, chunk.Start, chunk.Count, _request.Reservation);

    private void NoteSilence()
    {
        _isStoreSilent = true;
        _plan.NoteSilence();
    }

    // Returns where the page is, and the version of a bad chunk.
    private async Task<(PageSource Source, ObjectVersion? Bad)> TryLoadAsync(int index, KvPage page)
    {
        var chunk = _request.Chain[index];
        var (started, isFirst) = (_time.GetTimestamp(), _reads == 0);
        _reads++;
        try
        {
            using var patience = new CancellationTokenSource(_request.MustKnow ? Timeout.InfiniteTimeSpan : _plan.PatienceFor(index), _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stopping.Token);
            var read = await _chunks.ReadAsync(chunk, _request.Checksums.GetValueOrDefault(chunk.Hash.ToString()), page, either.Token);
            if (read.Fault is not { } fault)
            {
                var ended = _time.GetTimestamp();
                _plan.Loaded(index, isFirst, _time.GetElapsedTime(Math.Max(started, _lastRead), ended));
                _lastRead = ended;
                Instruments.RestoreBytes.Add(page.StoredBytes);
                return (PageSource.Store, null);
            }

            if (fault != ChunkFault.Absent || _request.ExpectStored)
            {
                Instruments.IntegrityFailures.Add(1, Instruments.Tag("reason", fault.Name()));
                Log.Refused(_logger, chunk.Start, fault.Name(), chunk.Hash.ToString());
            }

            _looksInStore &= fault != ChunkFault.Absent || _request.ExpectStored;
            return (PageSource.Nowhere, read.Version);
        }
        catch (Exception e) when (!_request.MustKnow && (e is StorageException || (e is OperationCanceledException && !_stopping.IsCancellationRequested)))
        {
            // The store does not answer, or not in time: what it holds can be computed (invariant 3), and need not be written again.
            if (e is OperationCanceledException && !_isStoreSilent)
            {
                _plan.Abandoned(index, isFirst, _time.GetElapsedTime(started));
            }

            Log.Refused(_logger, chunk.Start, e.Message, chunk.Hash.ToString());
            NoteSilence();
            return (PageSource.Unread, null);
        }
        finally
        {
            _reads--;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.ChunkRefused, LogLevel.Warning, "The stored page at token {Start} was refused ({Reason}); it is recomputed. Chunk {Hash}")]
        public static partial void Refused(ILogger logger, int start, string reason, string hash);
    }
}

/// <summary>Where a page was found.</summary>
internal enum PageSource
{
    /// <summary>It must be computed.</summary>
    Nowhere,

    /// <summary>It may be stored; computing it is quicker.</summary>
    Unread,

    /// <summary>In memory, shared with whoever else holds it.</summary>
    Memory,

    /// <summary>In the store; it is read, and checked.</summary>
    Store,
}

/// <summary>What a search found, and the turn at that page: nobody else makes it meanwhile.</summary>
/// <param name="turn">The turn; <see langword="null"/> for a private page.</param>
/// <param name="page">The page, a reference of it; still to be computed where it was found nowhere, or not read.</param>
/// <param name="source">Where it was.</param>
/// <param name="bad">The version of the chunk that failed its checks, to be repaired.</param>
internal sealed class FoundPage(IDisposable? turn, KvPage page, PageSource source, ObjectVersion? bad) : IDisposable
{
    private bool _taken;

    /// <summary>Gets the page. It goes with this object, unless it is taken.</summary>
    public KvPage Page => page;

    /// <summary>Gets where it was.</summary>
    public PageSource Source => source;

    /// <summary>Gets the version of the chunk that failed its checks.</summary>
    public ObjectVersion? Bad => bad;

    /// <summary>Takes the reference over.</summary>
    /// <returns>The page.</returns>
    public KvPage Take()
    {
        _taken = true;
        return page;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_taken)
        {
            page.Release();
        }

        turn?.Dispose();
    }
}
