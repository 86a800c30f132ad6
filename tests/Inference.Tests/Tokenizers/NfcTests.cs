using System.Text.Json;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Tests.Tokenizers;

public sealed class NfcTests
{
    [Fact]
    public void Normalize_MarksSingletonsAndHangul_EqualsPythonsUnicodeData()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Golden.Folder, "nfc.json"))); // unicodedata.normalize("NFC", …), 1,925 rows, seed 7
        foreach (var row in golden.RootElement.EnumerateArray())
        {
            var expected = row[1].GetString() ?? "";
            Assert.Equal(expected, Nfc.Normalize(row[0].GetString() ?? ""));
            Assert.Equal(expected, Nfc.Normalize(expected));
        }

        Assert.Equal(1925, golden.RootElement.GetArrayLength());
    }

    [Fact]
    public void Normalize_LongRunOfMarks_IsOrderedInReasonableTime()
    {
        var marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 100_000));

        Assert.Equal("\u1EA1" + new string('\u0323', 99_999) + new string('\u0301', 100_000), Nfc.Normalize("a" + marks));
    }
}
