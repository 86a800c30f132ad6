using System.Globalization;
using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

public sealed unsafe class MappedMemoryTests
{
    public static TheoryData<long> Sizes => [1, 4096, (1 << 20) + 3, HugePages.Size - 1, HugePages.Size, HugePages.Size + 1, 64L << 20];

    [Theory, MemberData(nameof(Sizes))]
    public void Allocate_AnySize_IsAlignedAndWritableToItsEnd(long bytes)
    {
        var memory = (byte*)MappedMemory.Allocate(bytes);
        try
        {
            Assert.Equal(0, (nint)memory % (bytes >= HugePages.Size ? HugePages.Size : 64));
            (memory[0], memory[bytes - 1]) = (1, 2);
            Assert.Equal((bytes == 1 ? 2 : 1, 2), (memory[0], memory[bytes - 1]));
        }
        finally
        {
            MappedMemory.Free(memory, bytes);
        }
    }

    [Fact]
    public void Free_TheKernelHasItBack()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs=linux: /proc/self/maps says what is mapped.");
        const long Bytes = 256L << 20; // what another thread maps meanwhile is smaller
        var memory = (nuint)MappedMemory.Allocate(Bytes);
        Assert.True(IsMapped(memory, memory + (nuint)Bytes));
        MappedMemory.Free((void*)memory, Bytes);
        Assert.False(IsMapped(memory, memory + (nuint)Bytes));
    }

    private static bool IsMapped(nuint from, nuint until) => File.ReadLines("/proc/self/maps").Select(static line => line[..line.IndexOf(' ', StringComparison.Ordinal)].Split('-')).Any(range =>
        nuint.Parse(range[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture) <= from && nuint.Parse(range[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture) >= until);
}
