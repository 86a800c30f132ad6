using System.Runtime.Intrinsics;
using CsCheck;
using Granary.Inference.Generation;

namespace Granary.Inference.Tests.Generation;

/// <summary>Exponentials and logarithms: as accurate as the library's, and their bits pinned.</summary>
public sealed class ReproducibleMathTests
{
    [Fact]
    public void Exp_AnyDouble_IsTheLibrarysToTwoUnits() =>
        Gen.Double[-708, 709].Sample(value => Assert.True(Units(Math.Exp(value), Exp(value)) <= 2, $"e^{value:R}: {Exp(value):R}"), iter: 20_000);

    [Theory, InlineData(0.0, 1.0), InlineData(double.NegativeInfinity, 0.0), InlineData(-709.0, 0.0), InlineData(-1e300, 0.0)]
    public void Exp_EdgeOfItsRange_IsExact(double value, double expected) => Assert.Equal(expected, Exp(value));

    [Fact]
    public void Exp_AnySingle_IsTheLibrarysToTwoUnits()
    {
        var values = Enumerable.Range(0, 9001).Select(index => -87f + (index * 0.0195f)).ToArray(); // up to 88.5, and a length of no vector
        var exponentials = values.ToArray();

        ReproducibleMath.Exp(exponentials);

        for (var index = 0; index < values.Length && values[index] < 88; index++)
        {
            var expected = (float)Math.Exp(values[index]);
            Assert.True(Math.Abs(BitConverter.SingleToInt32Bits(expected) - BitConverter.SingleToInt32Bits(exponentials[index])) <= 2, $"e^{values[index]:R}: {exponentials[index]:R}");
        }
    }

    [Fact]
    public void Log_AnyNormal_IsTheLibrarysToTwoUnits() =>
        Gen.Double[-300, 300].Sample(
            exponent =>
            {
                var value = Math.Pow(10, exponent);
                Assert.True(Units(Math.Log(value), ReproducibleMath.Log(value)) <= 2, $"ln {value:R}: {ReproducibleMath.Log(value):R}");
            },
            iter: 20_000);

    [Fact]
    public void Log_NearOne_KeepsItsAccuracy() =>
        Gen.Double[-0.4, 0.4].Sample(
            rest => Assert.True(Units(Math.Log(1 + rest), ReproducibleMath.Log(1 + rest)) <= 2, $"ln {1 + rest:R}: {ReproducibleMath.Log(1 + rest):R}"),
            iter: 20_000);

    // From this library itself on 2026-11-27: where these bits change, the engine version of the numerics id must rise.
    [Fact]
    public void Bits_OfFixedInputs_AreThoseOfTheEngineVersion()
    {
        long bits = 17;
        for (var index = 1; index <= 4096; index++)
        {
            bits = unchecked((bits * 31) + BitConverter.DoubleToInt64Bits(Exp(index * -0.171)));
            bits = unchecked((bits * 31) + BitConverter.DoubleToInt64Bits(ReproducibleMath.Log(index * 1.37)));
        }

        Assert.Equal("4a29efec4ca0b72c", bits.ToString("x16", System.Globalization.CultureInfo.InvariantCulture));
    }

    private static double Exp(double value) => ReproducibleMath.Exp(Vector512.Create(value))[3];

    private static long Units(double expected, double actual) => Math.Abs(BitConverter.DoubleToInt64Bits(expected) - BitConverter.DoubleToInt64Bits(actual));
}
