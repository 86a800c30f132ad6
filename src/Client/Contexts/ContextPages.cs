using System.Runtime.CompilerServices;
using Granary.Contexts;

namespace Granary.Client.Contexts;

/// <summary>Reads a listing page by page.</summary>
internal static class ContextPages
{
    /// <summary>Reads all pages, one when the one before has been read.</summary>
    /// <param name="readAsync">Reads the page that starts at a continuation; <see langword="null"/> for the first one.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <returns>The contexts of all pages.</returns>
    public static async IAsyncEnumerable<ContextDescription> ReadAllAsync(
        Func<string?, CancellationToken, Task<ContextPage>> readAsync, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        do
        {
            var page = await readAsync(after, cancellationToken).ConfigureAwait(false);
            foreach (var context in page.Items)
            {
                yield return context;
            }

            after = page.Continuation;
        }
        while (after is not null);
    }
}
