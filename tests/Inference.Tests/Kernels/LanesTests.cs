using CsCheck;

namespace Granary.Inference.Tests.Kernels;

/// <summary>What each instruction set makes of several instructions: against the scalar twin.</summary>
public sealed class LanesTests
{
    [Theory, MemberData(nameof(KernelSets.Names), MemberType = typeof(KernelSets))]
    public void Sums_AnyVectors_AreTheScalarTwinsToTheBit(string set)
    {
        var operations = KernelSets.OperationsOf(set);
        Gen.Int[0, 100_000].Sample(seed =>
        {
            var vectors = KernelSets.Special(16 * operations.Lanes, seed);
            var expected = KernelSets.NumberBits([.. vectors.Chunk(operations.Lanes).Select(static vector => ScalarTwins.Sum(vector))]);

            Assert.Equal(expected, KernelSets.NumberBits(operations.Sum(vectors)));
            Assert.Equal(expected, KernelSets.NumberBits(operations.Sum4(vectors)));
            Assert.Equal(expected, KernelSets.NumberBits(operations.Sum16(vectors)));
        });
    }

    [Theory, MemberData(nameof(KernelSets.Names), MemberType = typeof(KernelSets))]
    public void Exp_AnyValueUpTo88_IsTheScalarTwinToTheBit(string set)
    {
        const float Least = -87.33654f;
        var operations = KernelSets.OperationsOf(set);
        float[] edges = [0, -0f, float.Epsilon, -float.Epsilon, 88, Least, float.BitIncrement(Least), float.BitDecrement(Least), -88, -89, -1e30f, float.MinValue, float.NegativeInfinity, float.NaN, -0.34657359f, -0.34657362f];
        foreach (var edge in edges)
        {
            Equal([.. Enumerable.Repeat(edge, operations.Lanes)]);
        }

        Gen.Float[-90, 88].Array[operations.Lanes].Sample(Equal, iter: 2000);

        void Equal(float[] values) => Assert.Equal(KernelSets.NumberBits(Array.ConvertAll(values, ScalarTwins.Exp)), KernelSets.NumberBits(operations.Exp(values)));
    }

    [Theory, MemberData(nameof(KernelSets.Names), MemberType = typeof(KernelSets))]
    public void Highest_AnyNumbers_IsTheirMaximum(string set)
    {
        var operations = KernelSets.OperationsOf(set);
        Gen.Float.Array[operations.Lanes].Sample(values =>
        {
            values = Array.ConvertAll(values, static value => float.IsNaN(value) ? 0 : value);
            Assert.Equal(values.Max(), operations.Highest(values));
        });
    }
}
