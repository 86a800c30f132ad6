namespace Granary.Inference.Kernels;

/// <summary>The kernels of one instruction set for one stored element: those of few rows and those of many.</summary>
internal sealed record KernelSet(RowKernels Rows, PanelKernels Panels)
{
    /// <summary>Gets those of this machine's widest instruction set.</summary>
    /// <param name="elementBytes">4 for float32, 2 for bfloat16.</param>
    public static KernelSet Best(int elementBytes) => new(RowKernels.Best(elementBytes), PanelKernels.Best(elementBytes));
}
