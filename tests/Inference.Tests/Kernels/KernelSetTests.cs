using System.Runtime.Intrinsics;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Which kernels a machine gets.</summary>
public sealed class KernelSetTests
{
    [Theory, InlineData(4), InlineData(2)]
    public void Best_OfThisMachine_IsOneInstructionSetForRowsAndPanels(int bytes)
    {
        var best = KernelSet.Best(bytes);
        var widest = KernelSets.Native().First(static name => name != "avx512" || Vector512.IsHardwareAccelerated); // false where 512 bits slow the processor down

        Assert.Equal(bytes, best.Rows.ElementBytes);
        Assert.Equal(2 * KernelSets.Lanes(widest), best.Panels.Outputs);
        Assert.StartsWith(widest, best.Rows.InstructionSet, StringComparison.Ordinal);
    }

    [Theory, InlineData(8), InlineData(1)]
    public void Best_OfElementsThatNobodyStores_Throws(int bytes)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => RowKernels.Best(bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => PanelKernels.Best(bytes));
    }
}
