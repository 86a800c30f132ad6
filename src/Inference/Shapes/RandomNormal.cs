using System.Text;

namespace Granary.Inference.Shapes;

/// <summary>Numbers that are nearly normal (mean 0, deviation 1), each a function of seed, stream and index alone, so that threads may compute them in any order.</summary>
/// <remarks>
/// The sum of four uniform 16-bit numbers (Irwin–Hall) out of one SplitMix64 hash (Steele, Lea, Flood 2014): integer arithmetic and one product, so that every machine gets the same bits.
/// No value lies beyond 3.47 deviations.
/// </remarks>
internal readonly struct RandomNormal
{
    private const float Scale = 1.7320508f / 65536; // a sum of four uniforms has the variance 1/3

    private readonly ulong _key;

    public RandomNormal(int seed, string stream)
    {
        _key = Mix((uint)seed);
        foreach (var unit in Encoding.UTF8.GetBytes(stream))
        {
            _key = Mix(_key ^ unit);
        }
    }

    public float At(long index)
    {
        var bits = Mix(_key + ((ulong)index * 0x9E3779B97F4A7C15));
        var sum = (int)(bits & 0xFFFF) + (int)((bits >> 16) & 0xFFFF) + (int)((bits >> 32) & 0xFFFF) + (int)(bits >> 48);
        return (sum - (2 * 65535)) * Scale;
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
