using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Tests.HistoryIndependence;

namespace Granary.Inference.Tests.Models;

/// <summary>Working memory that cannot be had leaves what was there before, good to be used, and nothing else.</summary>
/// <remarks>What is asked for is larger than any address space, so no system promises it.</remarks>
public sealed class WorkspaceTests
{
    [Fact]
    public void RowWorkspace_NoRoomForTheLastOfItsBuffers_KeepsNone()
    {
        var before = NativeRows.LiveBytes;
        var config = HistoryModels.Shape(heads: 1, headDim: 1, vocabulary: 1) with { IntermediateSize = int.MaxValue };

        Assert.Throws<OutOfMemoryException>(() => new RowWorkspace(config, rows: 1 << 20, packs: true));

        Assert.Equal(before, NativeRows.LiveBytes);
    }
}
