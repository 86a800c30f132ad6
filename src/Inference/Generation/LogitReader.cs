using Granary.Inference.Engine;

namespace Granary.Inference.Generation;

/// <summary>Brings a row of logits to the host.</summary>
internal sealed class LogitReader(int vocabulary)
{
    private readonly double[] _row = new double[vocabulary];

    /// <summary>Reads a row.</summary>
    /// <param name="logits">The step's.</param>
    /// <param name="row">Which row.</param>
    /// <param name="position">The absolute position of the row's token, for the message.</param>
    /// <returns>[vocab], every logit as it is, valid until the next read.</returns>
    /// <exception cref="Errors.InferenceException"><c>NonFiniteLogits</c>: NaN or infinity.</exception>
    public ReadOnlySpan<double> Read(StepLogits logits, int row, long position)
    {
        logits.Widen(row, _row);
        foreach (var logit in _row)
        {
            if (!double.IsFinite(logit))
            {
                throw EngineErrors.NonFinite(position);
            }
        }

        return _row;
    }
}
