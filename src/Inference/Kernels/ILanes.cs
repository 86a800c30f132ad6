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

    static abstract TVector Abs(TVector vector);

    static abstract TVector CopySign(TVector magnitude, TVector sign);

    static abstract TVector Exp(TVector vector);

    /// <summary>Widens the even elements of <c>2 · Count</c> bfloat16 elements.</summary>
    static abstract TVector LoadEven(ushort* source);

    /// <summary>Widens the odd elements of <c>2 · Count</c> bfloat16 elements.</summary>
    static abstract TVector LoadOdd(ushort* source);

    /// <summary>Widens <c>Count</c> bfloat16 elements, in their order.</summary>
    static abstract TVector Widen(ushort* source);

    /// <summary>Turns a block of <c>Count</c> rows of <c>Count</c> values over.</summary>
    /// <param name="source">Row r begins at <c>r · sourceStride</c>.</param>
    /// <param name="sourceStride">Values.</param>
    /// <param name="target">What was column r begins at <c>r · targetStride</c>.</param>
    /// <param name="targetStride">Values.</param>
    static abstract void Transpose(float* source, nint sourceStride, float* target, nint targetStride);

    /// <summary>Sums the lanes of each of four vectors: halves are added until four lanes are left, then neighbours, then both pairs.</summary>
    static abstract void Sum4(TVector first, TVector second, TVector third, TVector fourth, float* target);
}
