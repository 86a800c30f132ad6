namespace Granary.Inference.Generation;

/// <summary>Random numbers that are a function of (seed, absolute position), so that a resumed ask draws what the first one would have drawn.</summary>
/// <remarks>
/// SplitMix64's finalizer as a counter-based generator: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", section 5;
/// constants of Stafford's mix 13. The seed is mixed before the counter is added, so that neighbouring seeds are no shifted copies of each other.
/// </remarks>
internal static class KeyedRandom
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    /// <summary>Draws a number.</summary>
    /// <param name="seed">The ask's seed.</param>
    /// <param name="position">The absolute position of the token that is chosen.</param>
    /// <returns>[0, 1), a multiple of 2^-24.</returns>
    public static float Draw(long seed, long position)
    {
        unchecked
        {
            var bits = Mix(Mix((ulong)seed) + (((ulong)position + 1) * Gamma));
            return (bits >> 40) * (1.0f / (1 << 24));
        }
    }

    private static ulong Mix(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
