using System.Runtime.CompilerServices;

namespace Granary.Inference.Kernels;

/// <summary>How a stored element type becomes lanes, a block of <c>2 · lanes</c> elements at a time, as two vectors.</summary>
/// <remarks>
/// Float32 gives the block's first and second half, bfloat16 its even and odd elements. An operand that meets stored elements is laid out to match
/// (<see cref="IsUnzipped"/>); elements behind the last whole block keep their place and are taken one by one.
/// </remarks>
internal unsafe interface IElement
{
    /// <summary>Gets the bytes of an element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Gets whether the two vectors have a block's even and odd elements, not its halves.</summary>
    static abstract bool IsUnzipped { get; }

    static abstract TVector First<TLanes, TVector>(byte* block)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;

    static abstract TVector Second<TLanes, TVector>(byte* block)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;

    /// <summary>Loads a vector of elements, in their order.</summary>
    static abstract TVector Load<TLanes, TVector>(byte* elements)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;

    static abstract float Widen(byte* element);

    /// <summary>Stores a vector of elements, in their order, rounded to nearest even.</summary>
    static abstract void Store<TLanes, TVector>(TVector vector, byte* elements)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;

    /// <summary>Stores a value, rounded to nearest even.</summary>
    static abstract void Narrow(float value, byte* element);
}

/// <summary>float32.</summary>
internal readonly unsafe struct SingleElement : IElement
{
    public static int Bytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => sizeof(float);
    }

    public static bool IsUnzipped => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First<TLanes, TVector>(byte* block)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Load((float*)block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Second<TLanes, TVector>(byte* block)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Load((float*)block + TLanes.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(byte* elements)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Load((float*)elements);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(byte* element) => *(float*)element;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes, TVector>(TVector vector, byte* elements)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Store(vector, (float*)elements);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow(float value, byte* element) => *(float*)element = value;
}

/// <summary>bfloat16: the upper half of a float32.</summary>
internal readonly unsafe struct BFloat16Element : IElement
{
    /// <summary>What stands for whatever is no number: rounding its bits could make it infinite.</summary>
    public const uint NaN = 0x7fc0;

    public static int Bytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => sizeof(ushort);
    }

    public static bool IsUnzipped => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First<TLanes, TVector>(byte* block)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.LoadEven((ushort*)block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Second<TLanes, TVector>(byte* block)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.LoadOdd((ushort*)block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(byte* elements)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Widen((ushort*)elements);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(byte* element) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)element << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes, TVector>(TVector vector, byte* elements)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Narrow(vector, (ushort*)elements);

    public static void Narrow(float value, byte* element)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        *(ushort*)element = (ushort)(float.IsNaN(value) ? NaN : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
