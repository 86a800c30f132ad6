using Granary.Errors;
using Granary.Grains.Residency;
using Granary.Inference.Pages;
using Granary.Storage.Chunks;

namespace Granary.Grains.Contexts;

/// <summary>What a fill was admitted with: the pages of it that were resident, which stay for it, and the bytes of the others.</summary>
/// <remarks>Invariants 8 and 10: a page that is held already, by another context or the version before, is not paid for again, so nothing has to give way to it.</remarks>
internal sealed class PageAdmission : IDisposable
{
    private readonly List<KvPage> _resident;

    private PageAdmission(List<KvPage> resident, KvReservation bytes, long tailBytes) => (_resident, Bytes, Tail) = (resident, bytes, bytes.Take(tailBytes));

    /// <summary>Gets the bytes of the pages that were not resident.</summary>
    public KvReservation Bytes { get; }

    /// <summary>Gets the bytes of what comes behind the pages; the caller's, who disposes them.</summary>
    public KvReservation Tail { get; }

    /// <summary>Waits for the bytes.</summary>
    /// <param name="registry">What is resident.</param>
    /// <param name="layout">The pages' layout.</param>
    /// <param name="chain">The pages, all of one payer.</param>
    /// <param name="tailBytes">Bytes behind the pages.</param>
    /// <param name="batch">Whether interactive requests go first.</param>
    /// <param name="cancellationToken">Gives the place in the queue back.</param>
    /// <exception cref="GranaryException"><c>KvBudgetExceeded</c>: more than the tenant may ever hold.</exception>
    /// <exception cref="Inference.Errors.InferenceException"><c>KvBudgetExceeded</c>: more than the device may ever hold.</exception>
    public static async Task<PageAdmission> AdmitAsync(KvRegistry registry, KvLayout layout, ChunkIdentity[] chain, long tailBytes, bool batch, CancellationToken cancellationToken)
    {
        var (payer, all) = (chain[0].Tenant, layout.BytesOf(chain.Sum(static chunk => (long)chunk.Count)));
        var resident = Find(registry, chain);
        var missing = all - BytesOf(resident);
        Release(resident); // nothing is held while bytes are waited for: two who wait could each hold what the other needs
        if (missing < all)
        {
            var bytes = await registry.Budgets.AdmitAsync(payer, missing + tailBytes, batch, cancellationToken);
            resident = Find(registry, chain);
            if (all - BytesOf(resident) <= missing)
            {
                return new PageAdmission(resident, bytes, tailBytes);
            }

            Release(resident);
            bytes.Dispose();
        }

        return new PageAdmission([], await registry.Budgets.AdmitAsync(payer, all + tailBytes, batch, cancellationToken), tailBytes);
    }

    /// <summary>Gives back the bytes that no page has taken, and lets go of the resident ones: the fill has references of its own by then. Idempotent.</summary>
    public void Dispose()
    {
        Bytes.Dispose();
        Release(_resident);
        _resident.Clear();
    }

    private static List<KvPage> Find(KvRegistry registry, ChunkIdentity[] chain) =>
        [.. chain.Select(chunk => registry.Pages.Find(chunk.Hash.ToString())).OfType<KvPage>()];

    private static long BytesOf(List<KvPage> pages) => pages.Sum(static page => page.Bytes);

    private static void Release(List<KvPage> pages) => pages.ForEach(static page => page.Release());
}
