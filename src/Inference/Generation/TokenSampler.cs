using System.Numerics;
using System.Numerics.Tensors;

namespace Granary.Inference.Generation;

/// <summary>Chooses a token from a row of logits, on the host: greedily in the row's own type, by chance in float32. Ties go to the lowest id.</summary>
/// <param name="options">How.</param>
/// <param name="seen">What a repetition penalty concerns; its owner adds to it.</param>
/// <remarks>
/// The order is Hugging Face's: repetition penalty, temperature, top-k, top-p (Holtzman et al. 2020). What is chosen follows from row, options, position and seen
/// ids alone. Its buffers are reused: one sampler serves one ask.
/// </remarks>
internal sealed class TokenSampler(SamplingOptions options, SeenTokens? seen = null)
{
    private const int FirstSelection = 256; // of a nucleus; it grows fourfold while the mass is not reached

    private readonly LikeliestTokens _likeliest = new();
    private float[] _row = [];
    private float[] _weights = [];
    private float[] _kept = [];
    private float[] _singles = [];
    private double[] _doubles = [];

    /// <summary>Chooses.</summary>
    /// <param name="logits">[vocab], finite.</param>
    /// <param name="position">The absolute position of the chosen token.</param>
    /// <returns>A token id.</returns>
    public int Choose(LogitRow logits, long position) =>
        logits.IsDouble ? Choose(logits.Doubles, ref _doubles, position) : Choose(logits.Singles, ref _singles, position);

    private static int Best<T>(ReadOnlySpan<T> logits)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var best = TensorPrimitives.IndexOfMax(logits);
        if (logits[best] != T.Zero)
        {
            return best;
        }

        best = 0; // to IndexOfMax 0 is above -0, to a logit they are a tie
        while (logits[best] != T.Zero)
        {
            best++;
        }

        return best;
    }

    private static T[] Buffer<T>(ref T[] buffer, int length)
    {
        if (buffer.Length != length)
        {
            buffer = new T[length];
        }

        return buffer;
    }

    private int Choose<T>(ReadOnlySpan<T> logits, ref T[] penalized, long position)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (seen is not null && options.RepetitionPenalty != 1)
        {
            var copy = Buffer(ref penalized, logits.Length);
            logits.CopyTo(copy);
            seen.Penalize<T>(copy, T.CreateTruncating(options.RepetitionPenalty));
            logits = copy;
        }

        // As a float: a temperature that rounds to 0 is greedy too.
        return (float)options.Temperature == 0 ? Best(logits) : Sample(logits, KeyedRandom.Draw(options.Seed, position));
    }

    private int Sample<T>(ReadOnlySpan<T> logits, float random)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Span<float> row = Buffer(ref _row, logits.Length);
        TensorPrimitives.ConvertTruncating(logits, row);
        var highest = TensorPrimitives.Max<float>(row);
        if (options.TopK < row.Length || options.TopP < 1)
        {
            return SampleLikeliest(row, highest, random);
        }

        Weigh(row, highest);
        return Pick(row, random * OrderedSums.Of(row));
    }

    private int SampleLikeliest(ReadOnlySpan<float> row, float highest, float random)
    {
        var most = Math.Min(options.TopK ?? row.Length, row.Length);
        Span<float> weights = Buffer(ref _weights, row.Length);
        row.CopyTo(weights);
        Weigh(weights, highest);
        for (var count = options.TopK is null ? Math.Min(FirstSelection, most) : most; ; count = (int)Math.Min(4L * count, most))
        {
            var keys = _likeliest.Select(row, count);
            var kept = Buffer(ref _kept, row.Length).AsSpan(0, count);
            for (var place = 0; place < count; place++)
            {
                kept[place] = weights[LikeliestTokens.IdOf(keys[place])];
            }

            if (options.TopP is { } mass && mass < 1)
            {
                var wanted = mass * (options.TopK is null ? OrderedSums.Of(weights) : OrderedSums.Of(kept));
                var enough = Reach(kept, wanted);
                if (enough > count && count < most)
                {
                    continue;
                }

                kept = kept[..Math.Min(enough, count)];
            }

            return LikeliestTokens.IdOf(keys[Pick(kept, random * OrderedSums.Of(kept))]);
        }
    }

    // exp((logit - highest) / temperature), in place.
    private void Weigh(Span<float> logits, float highest)
    {
        TensorPrimitives.Subtract(logits, highest, logits);
        TensorPrimitives.Divide(logits, (float)options.Temperature, logits);
        ReproducibleMath.Exp(logits);
    }

    // How many leading weights have the wanted sum; one more than there are where all have not.
    private static int Reach(ReadOnlySpan<float> weights, double wanted)
    {
        var sum = 0.0;
        for (var place = 0; place < weights.Length; place++)
        {
            sum += weights[place];
            if (sum >= wanted)
            {
                return place + 1;
            }
        }

        return weights.Length + 1;
    }

    // The first place at which the running sum is above what is wanted.
    private static int Pick(ReadOnlySpan<float> weights, double wanted)
    {
        var sum = 0.0;
        var last = 0;
        for (var place = 0; place < weights.Length; place++)
        {
            if (weights[place] > 0)
            {
                (sum, last) = (sum + weights[place], place);
                if (sum > wanted)
                {
                    break;
                }
            }
        }

        return last; // the last one of any weight where rounding left the sum at what is wanted
    }
}
