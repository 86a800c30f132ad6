namespace Granary.DocumentQuestions.Answers;

/// <summary>Begins streams before they are handed on.</summary>
internal static class StreamStart
{
    /// <summary>Waits for a stream's first element.</summary>
    /// <returns>The whole stream, to be enumerated once; an error in front of its first element is thrown by this task instead.</returns>
    public static async Task<IAsyncEnumerable<T>> StartAsync<T>(this IAsyncEnumerable<T> stream, CancellationToken cancellationToken)
    {
        var elements = stream.GetAsyncEnumerator(cancellationToken);
        try
        {
            return GoOnAsync(elements, await elements.MoveNextAsync());
        }
        catch
        {
            await elements.DisposeAsync();
            throw;
        }
    }

    private static async IAsyncEnumerable<T> GoOnAsync<T>(IAsyncEnumerator<T> elements, bool any)
    {
        await using (elements)
        {
            for (; any; any = await elements.MoveNextAsync())
            {
                yield return elements.Current;
            }
        }
    }
}
