namespace Granary.Inference.Tests.Kernels;

/// <summary>The online softmax of one row (Milakov and Gimelshein 2018) and its weighted sum of values, one number at a time.</summary>
internal sealed class ScalarSoftmax(int lanes, int headDim)
{
    private readonly float[] _sums = new float[headDim];

    /// <summary>Gets or sets the highest score so far.</summary>
    public float Maximum { get; set; } = float.NegativeInfinity;

    /// <summary>Gets or sets the sum of weights so far.</summary>
    public float Sum { get; set; }

    /// <summary>Gets the weighted sums of values so far, [head_dim].</summary>
    public float[] Sums => _sums;

    /// <summary>Takes a step's scores, and scales what there is to a higher maximum.</summary>
    /// <param name="scores">One a token.</param>
    /// <returns>Their weights.</returns>
    public float[] Weigh(float[] scores)
    {
        var highest = scores.Append(Maximum).Max();
        if (highest > Maximum)
        {
            var decay = ScalarTwins.Exp(Maximum - highest);
            Sum *= decay;
            for (var channel = 0; channel < headDim; channel++)
            {
                _sums[channel] *= decay;
            }

            Maximum = highest;
        }

        var weights = Array.ConvertAll(scores, score => ScalarTwins.Exp(score - Maximum));
        var sums = new float[lanes];
        for (var token = 0; token < weights.Length; token++)
        {
            sums[token % lanes] += weights[token];
        }

        Sum += ScalarTwins.Sum(sums);
        return weights;
    }

    /// <summary>Takes a step's scores and the values that they weigh.</summary>
    /// <param name="scores">One a token.</param>
    /// <param name="values">[tokens, head_dim].</param>
    public void Step(float[] scores, ReadOnlySpan<float> values)
    {
        var weights = Weigh(scores);
        for (var token = 0; token < weights.Length; token++)
        {
            for (var channel = 0; channel < headDim; channel++)
            {
                _sums[channel] = MathF.FusedMultiplyAdd(weights[token], values[(token * headDim) + channel], _sums[channel]);
            }
        }
    }

    public float[] End() => Array.ConvertAll(_sums, sum => sum / Sum);
}
