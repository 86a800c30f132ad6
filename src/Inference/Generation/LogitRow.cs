using System.Numerics.Tensors;

namespace Granary.Inference.Generation;

/// <summary>One row of logits, [vocab], as it was computed: float32, or float64 for a float64 model. Borrowed until the step ends.</summary>
internal readonly ref struct LogitRow
{
    private const int Chunk = 512; // of exponentials, on the stack
    private readonly ReadOnlySpan<float> _singles;
    private readonly ReadOnlySpan<double> _doubles;

    public LogitRow(ReadOnlySpan<float> logits) => _singles = logits;

    public LogitRow(ReadOnlySpan<double> logits) => _doubles = logits;

    /// <summary>Gets the vocabulary's size.</summary>
    public int Count => _doubles.IsEmpty ? _singles.Length : _doubles.Length;

    /// <summary>Gets whether no logit is NaN or infinite.</summary>
    public bool IsFinite => _doubles.IsEmpty ? TensorPrimitives.IsFiniteAll(_singles) : TensorPrimitives.IsFiniteAll(_doubles);

    /// <summary>Gets the id of the largest logit, the lowest of several.</summary>
    public int Best
    {
        get
        {
            var best = _doubles.IsEmpty ? TensorPrimitives.IndexOfMax(_singles) : TensorPrimitives.IndexOfMax(_doubles);
            if (this[best] != 0)
            {
                return best;
            }

            // To the primitive 0 is larger than -0; to a sampler they are equal.
            return _doubles.IsEmpty ? _singles.IndexOf(0f) : _doubles.IndexOf(0.0);
        }
    }

    public double this[int id] => _doubles.IsEmpty ? _singles[id] : _doubles[id];

    /// <summary>Copies the logits as float32, which is what sampling runs in.</summary>
    /// <param name="target">[vocab].</param>
    public void CopyTo(Span<float> target)
    {
        if (_doubles.IsEmpty)
        {
            _singles.CopyTo(target);
        }
        else
        {
            TensorPrimitives.ConvertSaturating(_doubles, target);
        }
    }

    /// <summary>Gets what is subtracted from a logit to make it a log-probability: the log of the sum of exponentials, in double.</summary>
    public double Normalizer()
    {
        var highest = this[Best];
        Span<double> chunk = stackalloc double[Chunk];
        var sum = 0.0;
        for (var start = 0; start < Count; start += Chunk)
        {
            var some = chunk[..Math.Min(Chunk, Count - start)];
            if (_doubles.IsEmpty)
            {
                TensorPrimitives.ConvertSaturating(_singles.Slice(start, some.Length), some);
            }
            else
            {
                _doubles.Slice(start, some.Length).CopyTo(some);
            }

            TensorPrimitives.Subtract(some, highest, some);
            TensorPrimitives.Exp(some, some);
            sum += TensorPrimitives.Sum<double>(some);
        }

        return highest + Math.Log(sum);
    }
}
