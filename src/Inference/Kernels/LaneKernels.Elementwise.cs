using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

// Work on one row: its layout, normalization, activations, sums.
internal sealed unsafe partial class LaneKernels<TLanes, TVector, TElement>
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
    where TElement : struct, IElement
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Pack(float* row, int width, float* packed)
    {
        var block = 2 * TLanes.Count;
        var whole = Packs ? width / block * block : 0;
        for (var start = 0; start < whole; start += block)
        {
            TLanes.Unzip(row + start, packed + start);
        }

        new ReadOnlySpan<float>(row + whole, width - whole).CopyTo(new Span<float>(packed + whole, width - whole));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Unpack(float* packed, int width, float* row)
    {
        var block = 2 * TLanes.Count;
        var whole = Packs ? width / block * block : 0;
        for (var start = 0; start < whole; start += block)
        {
            TLanes.Zip(packed + start, row + start);
        }

        new ReadOnlySpan<float>(packed + whole, width - whole).CopyTo(new Span<float>(row + whole, width - whole));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Widen(byte* elements, int count, float* row)
    {
        var whole = count / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            TLanes.Store(TElement.Load<TLanes, TVector>(elements + ((long)index * TElement.Bytes)), row + index);
        }

        for (var index = whole; index < count; index++)
        {
            row[index] = TElement.Widen(elements + ((long)index * TElement.Bytes));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Narrow(float* row, int count, byte* elements)
    {
        var whole = count / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            TElement.Store<TLanes, TVector>(TLanes.Load(row + index), elements + ((long)index * TElement.Bytes));
        }

        for (var index = whole; index < count; index++)
        {
            TElement.Narrow(row[index], elements + ((long)index * TElement.Bytes));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Normalize(float* row, int width, float* scale, float* bias, float epsilon, float* target)
    {
        var mean = TLanes.Broadcast(Sum(row, width) / width);
        var whole = width / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            TLanes.Store(TLanes.Subtract(TLanes.Load(row + index), mean), target + index);
        }

        for (var index = whole; index < width; index++)
        {
            target[index] = row[index] - TLanes.First(mean);
        }

        var factor = 1 / MathF.Sqrt((SumOfSquares(target, width) / width) + epsilon);
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            var centred = TLanes.Multiply(TLanes.Load(target + index), TLanes.Broadcast(factor));
            TLanes.Store(TLanes.MultiplyAdd(centred, TLanes.Load(scale + index), TLanes.Load(bias + index)), target + index);
        }

        for (var index = whole; index < width; index++)
        {
            target[index] = MathF.FusedMultiplyAdd(target[index] * factor, scale[index], bias[index]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Gelu(float* row, int count)
    {
        var rest = stackalloc float[TLanes.Count];
        var index = 0;
        for (; index + TLanes.Count <= count; index += TLanes.Count)
        {
            TLanes.Store(Gelu(TLanes.Load(row + index)), row + index);
        }

        if (index < count)
        {
            Fill(row + index, count - index, 0, rest);
            TLanes.Store(Gelu(TLanes.Load(rest)), rest);
            new ReadOnlySpan<float>(rest, count - index).CopyTo(new Span<float>(row + index, count - index));
        }
    }

    private static TVector Gelu(TVector value)
    {
        var argument = TLanes.Multiply(value, TLanes.Broadcast(0.70710678f));
        var magnitude = TLanes.Abs(argument);
        var one = TLanes.Broadcast(1);
        var t = TLanes.Divide(one, TLanes.MultiplyAdd(magnitude, TLanes.Broadcast(0.3275911f), one));
        var polynomial = TLanes.MultiplyAdd(t, TLanes.Broadcast(1.061405429f), TLanes.Broadcast(-1.453152027f));
        polynomial = TLanes.MultiplyAdd(polynomial, t, TLanes.Broadcast(1.421413741f));
        polynomial = TLanes.MultiplyAdd(polynomial, t, TLanes.Broadcast(-0.284496736f));
        polynomial = TLanes.Multiply(TLanes.MultiplyAdd(polynomial, t, TLanes.Broadcast(0.254829592f)), t);
        var decay = TLanes.Exp(TLanes.Subtract(TLanes.Broadcast(0), TLanes.Multiply(magnitude, magnitude)));
        var error = TLanes.CopySign(TLanes.Subtract(one, TLanes.Multiply(polynomial, decay)), argument);
        return TLanes.Multiply(TLanes.Multiply(value, TLanes.Broadcast(0.5f)), TLanes.Add(one, error));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void GeluTanh(float* row, int count)
    {
        var rest = stackalloc float[TLanes.Count];
        var index = 0;
        for (; index + TLanes.Count <= count; index += TLanes.Count)
        {
            TLanes.Store(GeluTanh(TLanes.Load(row + index)), row + index);
        }

        if (index < count)
        {
            Fill(row + index, count - index, 0, rest);
            TLanes.Store(GeluTanh(TLanes.Load(rest)), rest);
            new ReadOnlySpan<float>(rest, count - index).CopyTo(new Span<float>(row + index, count - index));
        }
    }

    // tanh |u| = (1 - e^(-2 |u|)) / (1 + e^(-2 |u|)): the math library's own differs from one version of it to the next.
    private static TVector GeluTanh(TVector value)
    {
        var one = TLanes.Broadcast(1);
        var cube = TLanes.Multiply(TLanes.Multiply(value, value), value);
        var argument = TLanes.Multiply(TLanes.MultiplyAdd(cube, TLanes.Broadcast(0.044715f), value), TLanes.Broadcast(0.7978845608f)); // sqrt(2 / pi)
        var decay = TLanes.Exp(TLanes.Multiply(TLanes.Abs(argument), TLanes.Broadcast(-2)));
        var tanh = TLanes.CopySign(TLanes.Divide(TLanes.Subtract(one, decay), TLanes.Add(one, decay)), argument);
        return TLanes.Multiply(TLanes.Multiply(value, TLanes.Broadcast(0.5f)), TLanes.Add(one, tanh));
    }

    private static float Sum(float* row, int width)
    {
        var sum = TLanes.Broadcast(0);
        var whole = width / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            sum = TLanes.Add(sum, TLanes.Load(row + index));
        }

        var total = TLanes.Sum(sum);
        for (var index = whole; index < width; index++)
        {
            total += row[index];
        }

        return total;
    }

    private static float SumOfSquares(float* row, int width)
    {
        var sum = TLanes.Broadcast(0);
        var whole = width / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            var value = TLanes.Load(row + index);
            sum = TLanes.MultiplyAdd(value, value, sum);
        }

        var total = TLanes.Sum(sum);
        for (var index = whole; index < width; index++)
        {
            total = MathF.FusedMultiplyAdd(row[index], row[index], total);
        }

        return total;
    }

    // In place.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(float* row, int count, float factor)
    {
        var whole = count / TLanes.Count * TLanes.Count;
        for (var index = 0; index < whole; index += TLanes.Count)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(row + index), TLanes.Broadcast(factor)), row + index);
        }

        for (var index = whole; index < count; index++)
        {
            row[index] *= factor;
        }
    }

    private static void Fill(float* source, int count, float padding, float* lanes)
    {
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            lanes[lane] = lane < count ? source[lane] : padding;
        }
    }
}
