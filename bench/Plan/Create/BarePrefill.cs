using Granary.Inference.Benchmarks;
using Granary.Inference.Engine;
using Granary.Inference.Pages;

namespace Granary.Bench.Plan.Create;

/// <summary>The floor of a creation: the same pages computed by the same engine, into memory that exists, and nothing else.</summary>
internal sealed class BarePrefill : IDisposable
{
    private readonly LoadedModel _model;
    private readonly KvReservation _reservation;
    private readonly List<KvPage> _pages = [];

    private BarePrefill(LoadedModel model, KvReservation reservation, int tokens)
    {
        (_model, _reservation) = (model, reservation);
        for (var start = 0; start < tokens; start += model.Layout.PageSize)
        {
            _pages.Add(KvPage.Allocate(model.Layout, start, Math.Min(model.Layout.PageSize, tokens - start), reservation));
        }
    }

    /// <summary>Allocates the pages.</summary>
    /// <param name="model">The model, on the silo's engine.</param>
    /// <param name="tokens">How many tokens each prefill has.</param>
    /// <param name="cancellationToken">Ends the wait for memory.</param>
    public static async Task<BarePrefill> OfAsync(LoadedModel model, int tokens, CancellationToken cancellationToken)
    {
        var bytes = model.Layout.BytesOf(tokens);
        return new BarePrefill(model, await new KvBudget(bytes).AdmitAsync(bytes, batch: false, cancellationToken), tokens);
    }

    /// <summary>Computes the pages of some ids, one step each, as a creation does.</summary>
    /// <returns>Seconds.</returns>
    public Task<double> TimeAsync(int[] ids, CancellationToken cancellationToken) => Clock.TimeAsync(async () =>
    {
        for (var index = 0; index < _pages.Count; index++)
        {
            var page = _pages[index];
            await _model.PrefillPageAsync(_pages[..index], page, ids.AsMemory(page.Start, page.Count), batch: false, cancellationToken);
        }
    });

    public void Dispose()
    {
        _pages.ForEach(static page => page.Release());
        _reservation.Dispose();
    }
}
