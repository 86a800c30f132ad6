using System.Numerics;

namespace Granary.Inference.Models;

/// <summary>The rotary embedding of one head of one row (Su et al. 2021), with halves as <see cref="RotaryTable"/> has them.</summary>
/// <remarks>Each channel's operations are the same in a vector and alone, and are rounded one by one: the vector's width changes no bit.</remarks>
internal static unsafe class Rotary
{
    /// <summary>Turns channels in place.</summary>
    /// <param name="channels">[head_dim]; the first <c>2 · half</c> are turned.</param>
    /// <param name="cos">[half].</param>
    /// <param name="sin">[half].</param>
    /// <param name="half">Pairs of channels.</param>
    public static void Turn(float* channels, float* cos, float* sin, int half)
    {
        var whole = half / Vector<float>.Count * Vector<float>.Count;
        for (var channel = 0; channel < whole; channel += Vector<float>.Count)
        {
            var (left, right) = (Vector.Load(channels + channel), Vector.Load(channels + channel + half));
            var (cosine, sine) = (Vector.Load(cos + channel), Vector.Load(sin + channel));
            Vector.Store((left * cosine) - (right * sine), channels + channel);
            Vector.Store((right * cosine) + (left * sine), channels + channel + half);
        }

        for (var channel = whole; channel < half; channel++)
        {
            var (left, right) = (channels[channel], channels[channel + half]);
            channels[channel] = (left * cos[channel]) - (right * sin[channel]);
            channels[channel + half] = (right * cos[channel]) + (left * sin[channel]);
        }
    }
}
