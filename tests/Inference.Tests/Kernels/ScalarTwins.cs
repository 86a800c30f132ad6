namespace Granary.Inference.Tests.Kernels;

/// <summary>What the kernels compute, one number at a time, in their order of additions: all that a vector's width may change is <paramref name="lanes"/>.</summary>
internal sealed class ScalarTwins(int lanes)
{
    private const float LeastExponent = -87.33654f;

    /// <summary>e^x by Cephes' polynomial (Moshier 1989).</summary>
    public static float Exp(float value)
    {
        var bounded = Math.Min(88f, Math.Max(LeastExponent, value));
        var power = MathF.Round(bounded * 1.44269504f);
        var rest = MathF.FusedMultiplyAdd(power, -0.693359375f, bounded);
        rest = MathF.FusedMultiplyAdd(power, 2.12194440e-4f, rest);
        var sum = 1.9875691500e-4f;
        foreach (var coefficient in (float[])[1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f])
        {
            sum = MathF.FusedMultiplyAdd(sum, rest, coefficient);
        }

        var exp = (MathF.FusedMultiplyAdd(sum, rest * rest, rest) + 1) * BitConverter.Int32BitsToSingle(((int)power + 127) << 23);
        return value < LeastExponent ? 0 : exp;
    }

    /// <summary>Abramowitz and Stegun 7.1.26.</summary>
    public static float Gelu(float value)
    {
        var argument = value * 0.70710678f;
        var magnitude = MathF.Abs(argument);
        var t = 1 / MathF.FusedMultiplyAdd(magnitude, 0.3275911f, 1);
        var polynomial = 1.061405429f;
        foreach (var coefficient in (float[])[-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f])
        {
            polynomial = MathF.FusedMultiplyAdd(polynomial, t, coefficient);
        }

        polynomial *= t;
        var error = MathF.CopySign(1 - (polynomial * Exp(0 - (magnitude * magnitude))), argument);
        return value * 0.5f * (1 + error);
    }

    public static float GeluTanh(float value)
    {
        var argument = MathF.FusedMultiplyAdd(value * value * value, 0.044715f, value) * 0.7978845608f;
        var decay = Exp(MathF.Abs(argument) * -2);
        var tanh = MathF.CopySign((1 - decay) / (1 + decay), argument);
        return value * 0.5f * (1 + tanh);
    }

    /// <summary>Layer norm: sums go through whole vectors, then the lanes are added, then what is behind the vectors.</summary>
    public float[] Normalize(float[] row, float[] scale, float[] bias, float epsilon)
    {
        var mean = Chain(row, static (sum, value) => sum + value) / row.Length;
        var centred = Array.ConvertAll(row, value => value - mean);
        var variance = Chain(centred, static (sum, value) => MathF.FusedMultiplyAdd(value, value, sum)) / row.Length;
        var factor = 1 / MathF.Sqrt(variance + epsilon);
        return [.. centred.Select((value, index) => MathF.FusedMultiplyAdd(value * factor, scale[index], bias[index]))];
    }

    /// <summary>Product with stored elements: one chain a lane in order of the blocks, the lanes' sum, and what is behind the last block one by one.</summary>
    /// <param name="stored">Stored elements, widened.</param>
    /// <param name="row">As many.</param>
    /// <param name="bytes">Bytes of a stored element: those of 2 go to the lanes by even and odd ones, those of 4 by halves of a block.</param>
    public float Dot(ReadOnlySpan<float> stored, ReadOnlySpan<float> row, int bytes)
    {
        var sums = new float[lanes];
        var whole = row.Length / (2 * lanes) * 2 * lanes;
        for (var block = 0; block < whole; block += 2 * lanes)
        {
            for (var half = 0; half < 2; half++)
            {
                for (var lane = 0; lane < lanes; lane++)
                {
                    var k = block + (bytes == 2 ? (2 * lane) + half : (half * lanes) + lane);
                    sums[lane] = MathF.FusedMultiplyAdd(stored[k], row[k], sums[lane]);
                }
            }
        }

        var sum = Sum(sums);
        for (var k = whole; k < row.Length; k++)
        {
            sum = MathF.FusedMultiplyAdd(stored[k], row[k], sum);
        }

        return sum;
    }

    /// <summary>Adds the lanes: halves until four are left, then neighbours, then both pairs.</summary>
    public float Sum(float[] sums)
    {
        for (var left = lanes; left > 4; left /= 2)
        {
            for (var lane = 0; lane < left / 2; lane++)
            {
                sums[lane] += sums[lane + (left / 2)];
            }
        }

        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    private float Chain(float[] row, Func<float, float, float> add)
    {
        var sums = new float[lanes];
        var whole = row.Length / lanes * lanes;
        for (var index = 0; index < whole; index++)
        {
            sums[index % lanes] = add(sums[index % lanes], row[index]);
        }

        var sum = Sum(sums);
        for (var index = whole; index < row.Length; index++)
        {
            sum = add(sum, row[index]);
        }

        return sum;
    }

    /// <summary>The online softmax of one row (Milakov and Gimelshein 2018) and its weighted sum of values.</summary>
    internal sealed class Softmax(ScalarTwins twins, int lanes, int headDim)
    {
        private readonly float[] _sums = new float[headDim];
        private float _maximum = float.NegativeInfinity;
        private float _sum;

        /// <summary>Takes a step's scores and the values that they weigh.</summary>
        /// <param name="scores">One a token.</param>
        /// <param name="values">[tokens, head_dim].</param>
        public void Step(float[] scores, ReadOnlySpan<float> values)
        {
            var highest = scores.Append(_maximum).Max();
            if (highest > _maximum)
            {
                var decay = Exp(_maximum - highest);
                _sum *= decay;
                for (var channel = 0; channel < headDim; channel++)
                {
                    _sums[channel] *= decay;
                }

                _maximum = highest;
            }

            var weights = Array.ConvertAll(scores, score => Exp(score - _maximum));
            var lane = new float[lanes];
            for (var token = 0; token < weights.Length; token++)
            {
                lane[token % lanes] += weights[token];
                for (var channel = 0; channel < headDim; channel++)
                {
                    _sums[channel] = MathF.FusedMultiplyAdd(weights[token], values[(token * headDim) + channel], _sums[channel]);
                }
            }

            _sum += twins.Sum(lane);
        }

        public float[] End() => Array.ConvertAll(_sums, sum => sum / _sum);
    }
}
