using System.Buffers;

namespace Granary.Storage.Objects;

/// <summary>Joins memories into one sequence without copying them.</summary>
internal sealed class ByteSegment : ReadOnlySequenceSegment<byte>
{
    private ByteSegment(ReadOnlyMemory<byte> memory, long runningIndex)
    {
        Memory = memory;
        RunningIndex = runningIndex;
    }

    public static ReadOnlySequence<byte> Join(params ReadOnlySpan<ReadOnlyMemory<byte>> parts)
    {
        var first = new ByteSegment(parts[0], 0);
        var last = first;
        foreach (var part in parts[1..])
        {
            var next = new ByteSegment(part, last.RunningIndex + last.Memory.Length);
            last.Next = next;
            last = next;
        }

        return new(first, 0, last, last.Memory.Length);
    }
}
