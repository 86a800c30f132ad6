using CsCheck;
using Granary.Inference.Models;
using Granary.Inference.Tests.Kernels;

namespace Granary.Inference.Tests.Models;

/// <summary>The rotary embedding of a head.</summary>
public sealed class RotaryTests
{
    [Fact]
    public void Turn_AnyWidth_IsTheScalarTwinToTheBitAndLeavesTheRest() =>
        Gen.Select(Gen.Int[0, 70], Gen.Int[0, 20], Gen.Int[0, 1000]).Sample((half, rest, seed) =>
        {
            var channels = KernelSets.Random((2 * half) + rest, seed);
            var (cos, sin) = (KernelSets.Random(half, seed + 1), KernelSets.Random(half, seed + 2));

            var turned = Turn(channels, cos, sin, half);

            var expected = channels.ToArray();
            for (var channel = 0; channel < half; channel++)
            {
                expected[channel] = (channels[channel] * cos[channel]) - (channels[channel + half] * sin[channel]);
                expected[channel + half] = (channels[channel + half] * cos[channel]) + (channels[channel] * sin[channel]);
            }

            Assert.Equal(MultiplyTests.Bits(expected), MultiplyTests.Bits(turned));
        });

    private static unsafe float[] Turn(float[] channels, float[] cos, float[] sin, int half)
    {
        var turned = channels.ToArray();
        fixed (float* channel = turned, cosine = cos, sine = sin)
        {
            Rotary.Turn(channel, cosine, sine, half);
        }

        return turned;
    }
}
