using System.Numerics;
using System.Numerics.Tensors;

namespace Granary.Inference.Generation;

/// <summary>A token's log-probability at a place of an answer.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">Its natural log-probability.</param>
public readonly record struct ScoredToken(int Id, double LogProbability);

/// <summary>Log-softmax of raw logits, in double, before penalty, temperature and cuts.</summary>
internal static class LogProbabilities
{
    /// <summary>Gets what is subtracted from a logit to make it a log-probability.</summary>
    /// <param name="logits">[vocab], finite.</param>
    /// <returns>log of the sum of exponentials.</returns>
    public static double Normalizer(LogitRow logits) => logits.IsDouble ? Normalizer(logits.Doubles) : Normalizer(logits.Singles);

    /// <inheritdoc cref="Normalizer(LogitRow)"/>
    public static double Normalizer<T>(ReadOnlySpan<T> logits)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var highest = double.CreateTruncating(TensorPrimitives.Max(logits));
        return highest + ReproducibleMath.Log(OrderedSums.OfExponentials(logits, highest));
    }

    /// <summary>Gets the likeliest tokens.</summary>
    /// <param name="logits">[vocab], finite.</param>
    /// <param name="normalizer">What <see cref="Normalizer(LogitRow)"/> gave.</param>
    /// <param name="count">How many, at most the vocabulary.</param>
    /// <returns>Likeliest first, ties by lowest id.</returns>
    public static ScoredToken[] Top(LogitRow logits, double normalizer, int count) =>
        logits.IsDouble ? Top(logits.Doubles, normalizer, count) : Top(logits.Singles, normalizer, count);

    /// <inheritdoc cref="Top(LogitRow, double, int)"/>
    public static ScoredToken[] Top<T>(ReadOnlySpan<T> logits, double normalizer, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var top = new ScoredToken[Math.Min(count, logits.Length)];
        if (top.Length == 0)
        {
            return top;
        }

        var filled = 0;
        var lowest = T.NegativeInfinity; // of a full list: most of the vocabulary ends at this comparison
        for (var id = 0; id < logits.Length; id++)
        {
            if (!(logits[id] > lowest))
            {
                continue;
            }

            var score = double.CreateTruncating(logits[id]);
            var place = filled < top.Length ? filled++ : top.Length - 1;
            while (place > 0 && score > top[place - 1].LogProbability)
            {
                top[place] = top[place - 1];
                place--;
            }

            top[place] = new ScoredToken(id, score);
            lowest = filled == top.Length ? logits[top[^1].Id] : lowest;
        }

        for (var place = 0; place < top.Length; place++)
        {
            top[place] = top[place] with { LogProbability = top[place].LogProbability - normalizer };
        }

        return top;
    }
}
