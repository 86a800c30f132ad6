namespace Granary.Inference.Tests.Kernels;

/// <summary>What the kernels compute, one number at a time, in their order of additions: all that a vector's width may change is <paramref name="lanes"/>.</summary>
internal sealed class ScalarTwins(int lanes)
{
    private const float LeastExponent = -87.33654f;

    /// <summary>Gets the value of a bfloat16.</summary>
    public static float Widen(ushort stored) => BitConverter.UInt32BitsToSingle((uint)stored << 16);

    /// <summary>Gets the nearest bfloat16, of two equally near ones the even one.</summary>
    /// <remarks>By distances, not by carries as the kernels do it. Beyond the largest bfloat16 the next one would be 2^128, which stands for infinity.</remarks>
    public static ushort Narrow(float value)
    {
        if (float.IsNaN(value))
        {
            return 0x7fc0;
        }

        var inner = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16); // the neighbour towards 0
        if (Widen(inner) == value)
        {
            return inner;
        }

        var outer = (ushort)(inner + 1);
        var beyond = float.IsInfinity(Widen(outer)) ? Math.Pow(2, 128) : Math.Abs((double)Widen(outer));
        var (down, up) = (Math.Abs((double)value) - Math.Abs((double)Widen(inner)), beyond - Math.Abs((double)value));
        return down < up || (down == up && inner % 2 == 0) ? inner : outer;
    }

    /// <summary>Stores values.</summary>
    /// <param name="values">float32.</param>
    /// <param name="bytes">Bytes of a stored element: 4 for float32, 2 for bfloat16.</param>
    public static byte[] Store(float[] values, int bytes) =>
        [.. values.SelectMany(value => bytes == sizeof(ushort) ? BitConverter.GetBytes(Narrow(value)) : BitConverter.GetBytes(value))];

    /// <summary>Gets stored values.</summary>
    public static float[] Widen(byte[] stored, int bytes) =>
        [.. Enumerable.Range(0, stored.Length / bytes).Select(index => bytes == sizeof(ushort) ? Widen(BitConverter.ToUInt16(stored, index * bytes)) : BitConverter.ToSingle(stored, index * bytes))];

    /// <summary>e^x by Cephes' polynomial (Moshier 1989).</summary>
    public static float Exp(float value)
    {
        var bounded = Math.Min(88f, Math.Max(LeastExponent, value));
        var power = MathF.Round(bounded * 1.44269504f);
        var rest = MathF.FusedMultiplyAdd(power, -0.693359375f, bounded);
        rest = MathF.FusedMultiplyAdd(power, 2.12194440e-4f, rest);
        var sum = 1.9875691500e-4f;
        foreach (var coefficient in (ReadOnlySpan<float>)[1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f])
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
        foreach (var coefficient in (ReadOnlySpan<float>)[-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f])
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

    /// <summary>Adds lanes, in place: halves until four are left, then neighbours, then both pairs.</summary>
    public static float Sum(Span<float> sums)
    {
        for (var left = sums.Length; left > 4; left /= 2)
        {
            for (var lane = 0; lane < left / 2; lane++)
            {
                sums[lane] += sums[lane + (left / 2)];
            }
        }

        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
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

    /// <summary>Lays a row out to meet stored elements: of those of 2 bytes, each whole block's even ones before its odd ones.</summary>
    public float[] Pack(float[] row, int bytes)
    {
        var whole = bytes == sizeof(ushort) ? row.Length / (2 * lanes) * 2 * lanes : 0;
        var blocks = row[..whole].Chunk(2 * lanes).SelectMany(static block => block.Where(static (_, index) => index % 2 == 0).Concat(block.Where(static (_, index) => index % 2 == 1)));
        return [.. blocks, .. row[whole..]];
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
}
