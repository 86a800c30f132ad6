using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Tests.HistoryIndependence;

namespace Granary.Inference.Tests.Models;

/// <summary>Working memory that cannot be had leaves what was there before, good to be used, and nothing else.</summary>
/// <remarks>What is asked for is larger than any address space, so no system promises it.</remarks>
public sealed unsafe class WorkspaceTests
{
    private const int TooManyRows = int.MaxValue;
    private const int Outputs = 32;
    private const int StateStride = 96;

    // A row of a megabyte: the rows above are some petabytes.
    private static readonly ModelConfig Wide = HistoryModels.Shape(heads: 8, headDim: 4096, vocabulary: 1 << 18);

    [Fact]
    public void RowWorkspace_NoRoomForTheLastOfItsBuffers_KeepsNone()
    {
        var before = NativeRows.LiveBytes;
        var config = HistoryModels.Shape(heads: 1, headDim: 1, vocabulary: 1) with { IntermediateSize = int.MaxValue };

        Assert.Throws<OutOfMemoryException>(() => new RowWorkspace(config, rows: 1 << 20, packs: true));

        Assert.Equal(before, NativeRows.LiveBytes);
    }

    [Fact]
    public void ReserveLogits_NoRoom_KeepsTheOldRows()
    {
        var before = NativeRows.LiveBytes;
        using (var space = new RowWorkspace(Wide, rows: 1, packs: false))
        {
            space.ReserveLogits(1);
            var bytes = space.Bytes;

            Assert.Throws<OutOfMemoryException>(() => space.ReserveLogits(TooManyRows));

            Assert.Equal(bytes, space.Bytes);
            Fill(space.Logits, Wide.VocabularySize);
            space.ReserveLogits(2);
            Fill(space.Logits, 2 * Wide.VocabularySize);
            Assert.Equal(bytes + ((long)Wide.VocabularySize * sizeof(float)), space.Bytes);
        }

        Assert.Equal(before, NativeRows.LiveBytes);
    }

    [Fact]
    public void Reserve_NoRoomForTheRows_KeepsTheOldOnes()
    {
        var before = NativeRows.LiveBytes;
        using (var space = new LongStepWorkspace(Wide, Outputs, StateStride, threads: 2))
        {
            space.Reserve(1);
            var bytes = space.Bytes;

            Assert.Throws<OutOfMemoryException>(() => space.Reserve(TooManyRows));

            Assert.Equal(bytes, space.Bytes);
            Fill(space, rows: 1);
            space.Reserve(2);
            Fill(space, rows: 2);
        }

        Assert.Equal(before, NativeRows.LiveBytes);
    }

    [Fact]
    public void Reserve_NoRoomForTheStates_KeepsNothingOfTheNewRows()
    {
        const int rows = 1 << 16;
        var config = HistoryModels.Shape(heads: 1, headDim: 1, vocabulary: 1);
        var before = NativeRows.LiveBytes;
        using (var space = new LongStepWorkspace(config, outputs: 1, stateStride: int.MaxValue, threads: 2))
        {
            var (bytes, live) = (space.Bytes, NativeRows.LiveBytes);

            Assert.Throws<OutOfMemoryException>(() => space.Reserve(rows));

            Assert.Equal((bytes, live), (space.Bytes, NativeRows.LiveBytes));
        }

        Assert.Equal(before, NativeRows.LiveBytes);
    }

    // The first and the last floats of what the next step writes.
    private static void Fill(LongStepWorkspace space, int rows)
    {
        Fill(space.Hidden, rows * space.HiddenStride);
        Fill(space.Inner, rows * space.InnerStride);
        Fill(space.States(0), rows * StateStride);
        Fill(space.States(1), rows * StateStride);
    }

    private static void Fill(float* address, int count) => new Span<float>(address, count).Fill(1);
}
