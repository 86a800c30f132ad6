namespace Granary.Inference.Kernels;

/// <summary>The operations of one instruction set on a vector of float32 lanes.</summary>
/// <remarks>Static and generic over the vector, so that one source of each kernel compiles to every instruction set. A kernel's bits depend on <see cref="Count"/>, which is why the numerics id names the set.</remarks>
/// <typeparam name="TVector">The vector.</typeparam>
internal unsafe interface ILanes<TVector>
    where TVector : struct
{
    /// <summary>Gets the float32 lanes of a vector.</summary>
    static abstract int Count { get; }

    static abstract TVector Broadcast(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(TVector vector, float* target);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Subtract(TVector left, TVector right);

    static abstract TVector Multiply(TVector left, TVector right);

    static abstract TVector Divide(TVector left, TVector right);

    /// <summary>Gets <c>left · right + addend</c>, rounded once.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    static abstract TVector Max(TVector left, TVector right);

    static abstract float First(TVector vector);

    /// <summary>Gets the highest lane; which of them, where one is no number, is not said.</summary>
    static abstract float Highest(TVector vector);

    static abstract TVector Abs(TVector vector);

    static abstract TVector CopySign(TVector magnitude, TVector sign);

    /// <summary>Gets e^x, to 2 units in the last place; 0 for what is less than the least normal number, negative infinity included.</summary>
    /// <param name="vector">At most 88 each: what e^x is of more, and of infinity, differs between the sets. What is no number stays none.</param>
    static abstract TVector Exp(TVector vector);

    /// <summary>Widens the even elements of <c>2 · Count</c> bfloat16 elements.</summary>
    static abstract TVector LoadEven(ushort* source);

    /// <summary>Widens the odd elements of <c>2 · Count</c> bfloat16 elements.</summary>
    static abstract TVector LoadOdd(ushort* source);

    /// <summary>Widens <c>Count</c> bfloat16 elements, in their order.</summary>
    static abstract TVector Widen(ushort* source);

    /// <summary>Stores a vector as <c>Count</c> bfloat16 elements, rounded to nearest even; what is no number stays none.</summary>
    static abstract void Narrow(TVector vector, ushort* target);

    /// <summary>Puts the even ones of <c>2 · Count</c> values in front of the odd ones.</summary>
    static abstract void Unzip(float* source, float* target);

    /// <summary>Undoes <see cref="Unzip"/>.</summary>
    static abstract void Zip(float* source, float* target);

    /// <summary>Turns a block of <c>Count</c> rows of <c>Count</c> 32-bit values over, whatever they mean.</summary>
    /// <param name="source">Row r begins at <c>r · sourceStride</c>.</param>
    /// <param name="sourceStride">Bytes.</param>
    /// <param name="target">What was column r begins at <c>r · targetStride</c>.</param>
    /// <param name="targetStride">Values.</param>
    static abstract void Transpose(byte* source, nint sourceStride, float* target, nint targetStride);

    /// <summary>Sums the lanes, in the order of <see cref="Sum4"/>.</summary>
    static abstract float Sum(TVector vector);

    /// <summary>Sums the lanes of each of four vectors: halves are added until four lanes are left, then neighbours, then both pairs.</summary>
    static abstract void Sum4(TVector first, TVector second, TVector third, TVector fourth, float* target);

    /// <summary>Sums the lanes of four times four vectors, in the order of <see cref="Sum4"/>.</summary>
    static abstract void Sum16(
        TVector first0, TVector second0, TVector third0, TVector fourth0,
        TVector first1, TVector second1, TVector third1, TVector fourth1,
        TVector first2, TVector second2, TVector third2, TVector fourth2,
        TVector first3, TVector second3, TVector third3, TVector fourth3,
        float* target);
}
