namespace Granary.Inference.Generation;

/// <summary>Selects the tokens of the highest logits without sorting the vocabulary. Its buffer is reused.</summary>
internal sealed class LikeliestTokens
{
    private ulong[] _keys = [];

    /// <summary>Selects.</summary>
    /// <param name="logits">[vocab], finite.</param>
    /// <param name="count">How many, from 1 to the vocabulary.</param>
    /// <returns><paramref name="count"/> keys for <see cref="IdOf"/>, likeliest first, ties by lowest id; valid until the next call.</returns>
    public ReadOnlySpan<ulong> Select(ReadOnlySpan<float> logits, int count)
    {
        var capacity = Math.Min(logits.Length, (2 * count) + 64);
        if (_keys.Length < capacity)
        {
            _keys = new ulong[capacity];
        }

        // Keys are distinct, so the set and its order are the row's alone, whenever the buffer is cut.
        var keys = _keys.AsSpan(0, capacity);
        var lowest = float.NegativeInfinity;
        var filled = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (!(logits[id] > lowest))
            {
                continue; // `count` tokens are at least as likely, and their ids are lower
            }

            if (filled == capacity)
            {
                keys.Sort();
                filled = count;
                lowest = logits[IdOf(keys[count - 1])];
                if (!(logits[id] > lowest))
                {
                    continue;
                }
            }

            keys[filled++] = KeyOf(logits[id], id);
        }

        var found = keys[..filled];
        found.Sort();
        return found[..count];
    }

    /// <summary>Gets the token of a key.</summary>
    /// <param name="key">The key.</param>
    /// <returns>A token id.</returns>
    public static int IdOf(ulong key) => (int)(uint)key;

    // Ascending keys are descending logits, then ascending ids. -0 equals 0 as a logit, so it does as a key.
    private static ulong KeyOf(float logit, int id)
    {
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        var descending = (bits & 0x8000_0000) != 0 ? bits : bits ^ 0x7FFF_FFFF;
        return ((ulong)descending << 32) | (uint)id;
    }
}
