using System.Numerics.Tensors;

namespace Granary.Inference.Generation;

/// <summary>Chooses a token from a row of logits, on the host in float32. Ties go to the lowest id.</summary>
/// <remarks>Holtzman et al. 2020 for top-p. Its buffers are reused: one sampler serves one ask.</remarks>
internal sealed class TokenSampler(SamplingOptions options)
{
    private float[] _weights = [];
    private int[] _order = [];

    /// <summary>Chooses.</summary>
    /// <param name="logits">[vocab], finite.</param>
    /// <param name="position">The absolute position of the chosen token.</param>
    /// <returns>A token id.</returns>
    public int Choose(LogitRow logits, long position)
    {
        var best = logits.Best;
        if (options.Temperature == 0)
        {
            return best;
        }

        if (_weights.Length != logits.Count)
        {
            _weights = new float[logits.Count];
            _order = new int[logits.Count];
        }

        logits.CopyTo(_weights);
        TensorPrimitives.Subtract(_weights, (float)logits[best], _weights);
        TensorPrimitives.Divide(_weights, (float)options.Temperature, _weights);
        TensorPrimitives.Exp<float>(_weights, _weights);
        for (var id = 0; id < _order.Length; id++)
        {
            _order[id] = id;
        }

        return Draw(Candidates(), KeyedRandom.Draw(options.Seed, position));
    }

    // Likeliest first where something is cut, in the order of ids otherwise: sorting a vocabulary costs more than drawing from it.
    private ReadOnlySpan<int> Candidates()
    {
        var all = _order.AsSpan();
        if (options.TopK is null && options.TopP is null)
        {
            return all;
        }

        all.Sort((left, right) => _weights[right].CompareTo(_weights[left]) is var byWeight && byWeight != 0 ? byWeight : left.CompareTo(right));
        var kept = all[..Math.Min(options.TopK ?? all.Length, all.Length)];
        return options.TopP is { } mass ? kept[..Nucleus(kept, (float)mass)] : kept;
    }

    private int Nucleus(ReadOnlySpan<int> kept, float mass)
    {
        var wanted = mass * Sum(kept);
        var sum = 0f;
        for (var count = 0; count < kept.Length; count++)
        {
            sum += _weights[kept[count]];
            if (sum >= wanted)
            {
                return count + 1;
            }
        }

        return kept.Length;
    }

    private int Draw(ReadOnlySpan<int> candidates, float random)
    {
        var wanted = random * Sum(candidates);
        var sum = 0f;
        var last = candidates[0];
        foreach (var id in candidates)
        {
            if (_weights[id] > 0)
            {
                (sum, last) = (sum + _weights[id], id);
                if (sum > wanted)
                {
                    return id;
                }
            }
        }

        return last; // rounding left the sum at the wanted mass
    }

    private float Sum(ReadOnlySpan<int> ids)
    {
        var sum = 0f;
        foreach (var id in ids)
        {
            sum += _weights[id];
        }

        return sum;
    }
}
