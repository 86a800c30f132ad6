namespace Granary.Inference.Models;

/// <summary>The rotary embedding of one head of one row (Su et al. 2021), with halves as <see cref="RotaryTable"/> has them.</summary>
internal static unsafe class Rotary
{
    /// <summary>Turns channels in place.</summary>
    /// <param name="channels">[head_dim]; the first <c>2 · half</c> are turned.</param>
    /// <param name="cos">[half].</param>
    /// <param name="sin">[half].</param>
    /// <param name="half">Pairs of channels.</param>
    public static void Turn(float* channels, float* cos, float* sin, int half)
    {
        for (var channel = 0; channel < half; channel++)
        {
            var (left, right) = (channels[channel], channels[channel + half]);
            channels[channel] = (left * cos[channel]) - (right * sin[channel]);
            channels[channel + half] = (right * cos[channel]) + (left * sin[channel]);
        }
    }
}
