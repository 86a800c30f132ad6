using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Tests.Models;

public sealed class RotaryTableTests
{
    [Fact]
    public void Digest_OfEqualTables_IsEqualAndOfAnyOtherIsAnother()
    {
        string[] digests = [Of(16, 10_000, 64), Of(8, 10_000, 64), Of(16, 10_001, 64), Of(16, 10_000, 65), Of(16, 10_000, 64, KvDtype.BFloat16)];

        Assert.Equal(digests[0], Of(16, 10_000, 64));
        Assert.Equal(digests.Length, digests.Distinct().Count());
        Assert.All(digests, static digest => Assert.Matches("^[0-9a-f]{16}$", digest));
    }

    private static string Of(int dimensions, double rotaryBase, int window, KvDtype dtype = KvDtype.Float32)
    {
        using var table = new RotaryTable(dimensions, rotaryBase, window, dtype);
        return table.Digest;
    }
}
