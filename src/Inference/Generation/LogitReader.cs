namespace Granary.Inference.Generation;

/// <summary>Brings a row of logits to the host.</summary>
internal sealed class LogitReader(int vocabulary)
{
    private float[] _widened = [];

    /// <summary>Reads a row.</summary>
    /// <param name="logits">The step's.</param>
    /// <param name="row">Which row.</param>
    /// <param name="position">The absolute position of the row's token, for the message.</param>
    /// <returns>[vocab], every logit as it is; valid until the next read and while the step's logits are.</returns>
    /// <exception cref="Errors.InferenceException"><c>NonFiniteLogits</c>: NaN or infinity.</exception>
    public LogitRow Read(StepLogits logits, int row, long position)
    {
        if (logits.IsHalf && _widened.Length == 0)
        {
            _widened = new float[vocabulary];
        }

        var read = logits.Row(row, _widened);
        read.CheckFinite(position);
        return read;
    }
}
