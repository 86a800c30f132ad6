using System.Numerics;

namespace Granary.Inference.Generation;

/// <summary>The distinct ids of context, prompt and answer so far, which a repetition penalty concerns.</summary>
/// <param name="vocabulary">The size of the vocabulary.</param>
/// <param name="most">The most ids that will be added; nothing is allocated after the constructor.</param>
internal sealed class SeenTokens(int vocabulary, int most)
{
    private readonly bool[] _seen = new bool[vocabulary];
    private readonly int[] _ids = new int[Math.Min(vocabulary, most)];
    private int _count;

    /// <summary>Gets the distinct ids, in the order of their first occurrence.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _count);

    /// <summary>Adds ids.</summary>
    /// <param name="ids">Inside the vocabulary.</param>
    public void Add(ReadOnlySpan<int> ids)
    {
        foreach (var id in ids)
        {
            if (!_seen[id])
            {
                (_seen[id], _ids[_count++]) = (true, id);
            }
        }
    }

    /// <summary>Penalizes each id once: a logit above 0 is divided, any other multiplied.</summary>
    /// <param name="logits">[vocab], changed.</param>
    /// <param name="penalty">Above 0; above 1 makes repetition less likely.</param>
    /// <remarks>Keskar et al. 2019, section 4.1, as Hugging Face's <c>RepetitionPenaltyLogitsProcessor</c> has it (generation/logits_process.py).</remarks>
    public void Penalize<T>(Span<T> logits, T penalty)
        where T : unmanaged, INumber<T>
    {
        foreach (var id in Ids)
        {
            logits[id] = logits[id] > T.Zero ? logits[id] / penalty : logits[id] * penalty;
        }
    }
}
