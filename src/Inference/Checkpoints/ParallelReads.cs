using Granary.Inference.Errors;

namespace Granary.Inference.Checkpoints;

/// <summary>Reads of a checkpoint's files, on all cores.</summary>
internal static class ParallelReads
{
    /// <summary>Runs some reads and waits for all.</summary>
    /// <param name="count">How many.</param>
    /// <param name="read">Does one, by its number.</param>
    /// <param name="cancellationToken">Stops between two reads.</param>
    /// <exception cref="InferenceException">What a read threw, as if it had been the only one.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void Run(int count, Action<int> read, CancellationToken cancellationToken = default)
    {
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
        try
        {
            Parallel.For(0, count, options, read);
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<InferenceException>().FirstOrDefault() is { } unreadable)
        {
            throw new InferenceException(unreadable.Code, unreadable.Message, unreadable.Remedy, e);
        }
    }
}
