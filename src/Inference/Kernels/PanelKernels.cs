using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Granary.Inference.Kernels;

/// <summary>The products of a long step, whose many rows make it worth while to turn weights into panels first.</summary>
/// <remarks>
/// Goto and van de Geijn 2008: a panel is packed once, stays in the cache, and meets all rows. An element of a product is one chain of fused multiply-adds in order of
/// the width, from its start value on, whatever rows stand beside it (design, section 3). That is another order than <see cref="RowKernels"/> has: which of the
/// two runs a step follows from the step's own shape.
/// </remarks>
internal abstract unsafe class PanelKernels
{
    /// <summary>The most rows that one tile of a product takes.</summary>
    public const int TileRows = 12;

    /// <summary>Gets the outputs of a panel: two vectors of lanes.</summary>
    public abstract int Outputs { get; }

    /// <summary>Packs rows of a weight as the columns of a panel.</summary>
    /// <param name="weight">[outputs, width] stored elements.</param>
    /// <param name="stride">Elements between two of its rows.</param>
    /// <param name="outputs">At most <see cref="Outputs"/>; missing ones become zeros.</param>
    /// <param name="width">Elements that are taken of each row.</param>
    /// <param name="panel">[width, <see cref="Outputs"/>] float32.</param>
    public abstract void PackRows(byte* weight, int stride, int outputs, int width, float* panel);

    /// <summary>Packs columns of stored rows as the columns of a panel.</summary>
    /// <param name="elements">[width, outputs] stored elements.</param>
    /// <param name="stride">Elements between two of its rows.</param>
    /// <param name="outputs">At most <see cref="Outputs"/>; missing ones become zeros.</param>
    /// <param name="width">Rows.</param>
    /// <param name="panel">[width, <see cref="Outputs"/>] float32.</param>
    public abstract void PackColumns(byte* elements, int stride, int outputs, int width, float* panel);

    /// <summary>Multiplies rows with a panel: <c>target[r] = start + rows[r] · panel</c>.</summary>
    /// <param name="rows">[count, width] float32.</param>
    /// <param name="stride">Floats between two rows.</param>
    /// <param name="count">Rows.</param>
    /// <param name="panel">[width, <see cref="Outputs"/>] float32.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="start">[<see cref="Outputs"/>] float32; null continues what <paramref name="target"/> has.</param>
    /// <param name="target">[count, <see cref="Outputs"/>] float32, all of it written.</param>
    /// <param name="targetStride">Floats between two rows of the target.</param>
    public abstract void Multiply(float* rows, nint stride, int count, float* panel, nint width, float* start, float* target, nint targetStride);

    /// <summary>Adds rows to rows.</summary>
    /// <param name="rows">[count, <see cref="Outputs"/>] float32.</param>
    /// <param name="stride">Floats between two rows, on both sides.</param>
    /// <param name="count">Rows.</param>
    /// <param name="target">The same shape.</param>
    public abstract void Add(float* rows, nint stride, int count, float* target);

    /// <summary>Gets the kernels of this machine's widest instruction set, the same one that <see cref="RowKernels.Best"/> gives.</summary>
    /// <param name="elementBytes">4 for float32, 2 for bfloat16.</param>
    public static PanelKernels Best(int elementBytes) => Avx512F.IsSupported && Vector512.IsHardwareAccelerated
        ? For<Avx512Lanes, Vector512<float>>(elementBytes)
        : Avx2.IsSupported && Fma.IsSupported ? For<Avx2Lanes, Vector256<float>>(elementBytes) : For<PortableLanes, Vector<float>>(elementBytes);

    /// <summary>Gets the kernels of a named instruction set.</summary>
    public static PanelKernels For<TLanes, TVector>(int elementBytes)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => elementBytes switch
        {
            sizeof(float) => new LanePanelKernels<TLanes, TVector, SingleElement>(),
            sizeof(ushort) => new LanePanelKernels<TLanes, TVector, BFloat16Element>(),
            _ => throw new ArgumentOutOfRangeException(nameof(elementBytes), elementBytes, "Rows are stored as float32 or bfloat16."),
        };
}
