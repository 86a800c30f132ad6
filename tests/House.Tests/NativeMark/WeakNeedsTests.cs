using System.Buffers.Binary;
using System.Text;
using Granary.Build;

namespace Granary.House.Tests.NativeMark;

public sealed class WeakNeedsTests
{
    private static readonly Version Debian12 = new(3, 4, 30);
    private readonly byte[] _shipped = File.ReadAllBytes(BuildFacts.ShippedLibrary);

    [Fact]
    public void Mark_RuntimeIsOlder_ChangesTheOneFlagOnly()
    {
        var marked = (byte[])_shipped.Clone();

        Assert.Equal(1, WeakNeeds.Mark(marked, Debian12));

        var changed = Assert.Single(Enumerable.Range(0, marked.Length), i => marked[i] != _shipped[i]);
        Assert.Equal((0, 2), (_shipped[changed], marked[changed]));
        var need = Assert.Single(new Elf(marked).ReadNeeds(), need => need.Name == "GLIBCXX_3.4.32");
        Assert.Equal((changed, 2), (need.FlagsOffset, need.Flags));
    }

    [Fact]
    public void Mark_AlreadyMarked_ChangesNothing()
    {
        WeakNeeds.Mark(_shipped, Debian12);
        var once = (byte[])_shipped.Clone();

        Assert.Equal(0, WeakNeeds.Mark(_shipped, Debian12));
        Assert.Equal(once, _shipped);
    }

    [Theory]
    [InlineData("3.4.32")]
    [InlineData("3.4.33")]
    public void Mark_RuntimeHasTheVersion_ChangesNothing(string newest)
    {
        var library = (byte[])_shipped.Clone();

        Assert.Equal(0, WeakNeeds.Mark(library, Version.Parse(newest)));
        Assert.Equal(_shipped, library);
    }

    [Fact]
    public void Mark_RuntimeIsUnknown_MarksTheKnownNeedOnly() => Assert.Equal(1, WeakNeeds.Mark(_shipped, null));

    [Fact]
    public void Mark_NeedsMoreThanTheMarker_RefusesAndNamesIt()
    {
        // Against a much older runtime, real functions of 3.4.26 and later are missing: no mark could help.
        var error = Assert.Throws<InvalidDataException>(() => WeakNeeds.Mark(_shipped, new Version(3, 4, 11)));

        Assert.Contains("GLIBCXX_3.4.", error.Message, StringComparison.Ordinal);
        Assert.Contains("3.4.11", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mark_SymbolHasAnotherName_Refuses()
    {
        var at = _shipped.AsSpan().IndexOf(Encoding.ASCII.GetBytes(WeakNeeds.MarkerSymbol));
        _shipped[at] = (byte)'X';

        var error = Assert.Throws<InvalidDataException>(() => WeakNeeds.Mark(_shipped, Debian12));

        Assert.Contains("XZSt21ios_base_library_initv", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mark_SymbolIsRelocated_Refuses()
    {
        var elf = new Elf(_shipped);
        var need = elf.ReadNeeds().Single(need => need.Name == "GLIBCXX_3.4.32");
        var symbol = Assert.Single(elf.FindSymbols(need.Index));
        PointARelocationAt(symbol.Number);

        Assert.Throws<InvalidDataException>(() => WeakNeeds.Mark(_shipped, Debian12));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(4096)]
    [InlineData(260_000)]
    [InlineData(2_000_000)]
    public void Mark_FileIsTruncated_Refuses(int length) =>
        Assert.Throws<InvalidDataException>(() => WeakNeeds.Mark(_shipped[..length], Debian12));

    [Fact]
    public void Mark_FileIsGarbage_Refuses()
    {
        var random = new Random(1);
        for (var round = 0; round < 200; round++)
        {
            var garbage = new byte[random.Next(64, 4096)];
            random.NextBytes(garbage);
            _shipped.AsSpan(0, 20).CopyTo(garbage); // the right magic, so that the tables are read
            if (round % 2 == 0)
            {
                BinaryPrimitives.WriteInt64LittleEndian(garbage.AsSpan(40), random.Next(garbage.Length)); // and lie inside
            }

            try
            {
                Assert.Equal(0, WeakNeeds.Mark(garbage, Debian12)); // no table of versions in it
            }
            catch (InvalidDataException)
            {
                // Refused with a reason; any other exception fails the test.
            }
        }
    }

    [Fact]
    public void FindNewestVersion_ThisSystem_IsWhatItsLibraryDefines()
    {
        var newest = SystemRuntime.FindNewestVersion();

        Assert.NotNull(newest);
        Assert.True(newest >= new Version(3, 4, 28), $"GLIBCXX_{newest} would be older than GCC 10's.");
        Assert.Null(SystemRuntime.FindNewestVersion(_shipped)); // it defines no version of its own
    }

    private void PointARelocationAt(int symbol)
    {
        // ELF64: e_shoff at 40, e_shnum at 60; a section header has 64 bytes, its type at 4, offset at 24; a Rela's symbol is at 12.
        var table = (int)BinaryPrimitives.ReadInt64LittleEndian(_shipped.AsSpan(40));
        for (var i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(_shipped.AsSpan(60)); i++)
        {
            var header = _shipped.AsSpan(table + (i * 64), 64);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == 4)
            {
                var offset = (int)BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
                BinaryPrimitives.WriteInt32LittleEndian(_shipped.AsSpan(offset + 12), symbol);
                return;
            }
        }

        Assert.Fail("The library has no relocations.");
    }
}
