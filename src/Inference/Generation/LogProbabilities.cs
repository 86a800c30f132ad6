namespace Granary.Inference.Generation;

/// <summary>A token's log-probability at a place of an answer.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">Its natural log-probability.</param>
public readonly record struct ScoredToken(int Id, double LogProbability);

/// <summary>Log-softmax of raw logits, in double, before temperature and cuts.</summary>
internal static class LogProbabilities
{
    /// <summary>Gets the likeliest tokens.</summary>
    /// <param name="logits">[vocab], finite.</param>
    /// <param name="normalizer">What <see cref="LogitRow.Normalizer"/> gave.</param>
    /// <param name="count">How many, at most the vocabulary.</param>
    /// <returns>Likeliest first, ties by lowest id.</returns>
    public static ScoredToken[] Top(LogitRow logits, double normalizer, int count)
    {
        var top = new ScoredToken[Math.Min(count, logits.Count)];
        var filled = 0;
        for (var id = 0; id < logits.Count && top.Length > 0; id++)
        {
            var score = logits[id] - normalizer;
            if (filled == top.Length && !(score > top[^1].LogProbability))
            {
                continue;
            }

            var place = filled < top.Length ? filled++ : top.Length - 1;
            while (place > 0 && score > top[place - 1].LogProbability)
            {
                top[place] = top[place - 1];
                place--;
            }

            top[place] = new ScoredToken(id, score);
        }

        return top;
    }
}
