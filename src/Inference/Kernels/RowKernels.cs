using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Granary.Inference.Kernels;

/// <summary>The arithmetic of a decode step for one instruction set and one stored element type.</summary>
/// <remarks>
/// Every row's result depends on that row alone: one accumulation order, whatever the number of rows beside it, its index, and which thread computes it
/// (design, section 3). Rows are float32, laid out to meet the stored elements (<see cref="Pack"/>).
/// </remarks>
internal abstract unsafe class RowKernels
{
    /// <summary>The most rows of one <see cref="Attend"/>.</summary>
    public const int MaxAttendedRows = 4;

    /// <summary>Where the sums of a softmax state begin, behind its running maximum and running sum.</summary>
    public const int StateSums = 16;

    /// <summary>Gets the instruction set's name, a part of the numerics id.</summary>
    public abstract string InstructionSet { get; }

    /// <summary>Gets the bytes of a stored element.</summary>
    public abstract int ElementBytes { get; }

    /// <summary>Multiplies rows with some rows of a weight: <c>target[r, n] = rows[r] · weight[n] (+ bias[n])</c> for n from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    /// <param name="weight">[outputs, width] stored elements.</param>
    /// <param name="bias">[outputs] float32, or null.</param>
    /// <param name="rows">[count, width] float32, packed.</param>
    /// <param name="count">Rows.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="target">[count, stride] float32; column n of each row is written.</param>
    /// <param name="stride">Elements between two rows of the target.</param>
    /// <param name="first">The first output.</param>
    /// <param name="end">One behind the last output.</param>
    public abstract void Multiply(byte* weight, float* bias, float* rows, int count, int width, float* target, int stride, int first, int end);

    /// <summary>Attends rows to a run of tokens that all of them see, continuing each row's softmax.</summary>
    /// <param name="queries">[count, head_dim] float32, packed and scaled.</param>
    /// <param name="count">Rows, at most <see cref="MaxAttendedRows"/>.</param>
    /// <param name="keys">[tokens, head_dim] stored elements.</param>
    /// <param name="values">[tokens, head_dim] stored elements.</param>
    /// <param name="tokens">Tokens of the run.</param>
    /// <param name="headDim">Channels of a head.</param>
    /// <param name="states">One state a row: running maximum, running sum, and from <see cref="StateSums"/> on [head_dim] packed sums.</param>
    /// <param name="stateStride">Floats between two states.</param>
    public abstract void Attend(float* queries, int count, byte* keys, byte* values, int tokens, int headDim, float* states, int stateStride);

    /// <summary>Turns scores into weights, in place, and takes them into a row's softmax: one step of the online softmax (Milakov and Gimelshein 2018).</summary>
    /// <param name="scores">[tokens] float32; room for whole vectors. What is behind the tokens in the last vector becomes 0.</param>
    /// <param name="tokens">Scores.</param>
    /// <param name="state">The row's state, as <see cref="Attend"/> has it; its sums are scaled to the new maximum.</param>
    /// <param name="headDim">Sums of the state.</param>
    public abstract void Weigh(float* scores, int tokens, float* state, int headDim);

    /// <summary>Gets whether <see cref="Pack"/> changes anything.</summary>
    public abstract bool Packs { get; }

    /// <summary>Lays a row out to meet stored elements.</summary>
    /// <param name="row">[width] float32.</param>
    /// <param name="width">Elements.</param>
    /// <param name="packed">[width] float32; not the row itself.</param>
    public abstract void Pack(float* row, int width, float* packed);

    /// <summary>Undoes <see cref="Pack"/>.</summary>
    public abstract void Unpack(float* packed, int width, float* row);

    /// <summary>Widens stored elements.</summary>
    public abstract void Widen(byte* elements, int count, float* row);

    /// <summary>Stores a row, rounded to nearest even.</summary>
    public abstract void Narrow(float* row, int count, byte* elements);

    /// <summary>Normalizes a row (Ba et al. 2016): <c>(x - mean) / sqrt(variance + epsilon) · scale + bias</c>.</summary>
    public abstract void Normalize(float* row, int width, float* scale, float* bias, float epsilon, float* target);

    /// <summary>Applies GELU in place: <c>x · Φ(x)</c> (Hendrycks and Gimpel 2016), with erf of Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.</summary>
    public abstract void Gelu(float* row, int count);

    /// <summary>Applies GELU's tanh form in place: Hugging Face's <c>gelu_new</c>.</summary>
    public abstract void GeluTanh(float* row, int count);

    /// <summary>Gets the kernels of this machine's widest instruction set.</summary>
    /// <param name="elementBytes">4 for float32, 2 for bfloat16.</param>
    public static RowKernels Best(int elementBytes) => Avx512F.IsSupported && Vector512.IsHardwareAccelerated
        ? For<Avx512Lanes, Vector512<float>>(elementBytes)
        : Avx2.IsSupported && Fma.IsSupported ? For<Avx2Lanes, Vector256<float>>(elementBytes) : For<PortableLanes, Vector<float>>(elementBytes);

    /// <summary>Gets the kernels of a named instruction set.</summary>
    public static RowKernels For<TLanes, TVector>(int elementBytes)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => elementBytes switch
        {
            sizeof(float) => new LaneKernels<TLanes, TVector, SingleElement>(),
            sizeof(ushort) => new LaneKernels<TLanes, TVector, BFloat16Element>(),
            _ => throw new ArgumentOutOfRangeException(nameof(elementBytes), elementBytes, "Rows are stored as float32 or bfloat16."),
        };
}
