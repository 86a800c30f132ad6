using Granary.Inference.Engine;

namespace Granary.Inference.Generation;

/// <summary>Hands out rows of logits that are finite.</summary>
internal sealed class LogitReader(int vocabulary)
{
    private float[] _widened = [];

    /// <summary>Reads a row.</summary>
    /// <param name="logits">The step's.</param>
    /// <param name="row">Which row.</param>
    /// <param name="position">The absolute position of the row's token, for the message.</param>
    /// <returns>[vocab], every logit as it is, valid until the next read or the step's end.</returns>
    /// <exception cref="Errors.InferenceException"><c>NonFiniteLogits</c>: NaN or infinity.</exception>
    public LogitRow Read(StepLogits logits, int row, long position)
    {
        if (logits.NeedsWidening && _widened.Length == 0)
        {
            _widened = new float[vocabulary];
        }

        var read = logits.Row(row, _widened);
        return read.IsFinite ? read : throw EngineErrors.NonFinite(position);
    }
}
