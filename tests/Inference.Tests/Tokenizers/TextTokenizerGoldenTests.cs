using System.Text.Json;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Tests.Tokenizers;

/// <summary>Row S1 of the goldens: the GPT-NeoX tokenizer by its file, against Hugging Face tokenizers.</summary>
public sealed class TextTokenizerGoldenTests
{
    private const string NeoX = "data/tokenizer/20B_tokenizer.json";

    [Fact]
    public void S1_AllRows_EncodeAndDecodeAsHuggingFace()
    {
        var tokenizer = LoadNeoX();
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Golden.Folder, "tokenizer.json")));
        var special = 0;
        foreach (var row in golden.RootElement.EnumerateArray())
        {
            var text = row.GetProperty("text").GetString() ?? "";
            var ids = Ids(row, "ids");
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(row.GetProperty("decoded").GetString(), tokenizer.Decode(ids));
            special += row.TryGetProperty("ids_with_special_tokens", out _) ? 1 : 0;
            Assert.Equal(row.TryGetProperty("ids_with_special_tokens", out _) ? Ids(row, "ids_with_special_tokens") : ids, tokenizer.EncodeWithSpecialTokens(text));
        }

        Assert.Equal(218, golden.RootElement.GetArrayLength());
        Assert.True(special > 10, $"Only {special} rows have special tokens; the golden file is not the one this test is for.");
    }

    [Fact]
    public void S1_RowsOfOtherSources_EncodeAlike()
    {
        var tokenizer = LoadNeoX();
        var path = Golden.FindShared("data/tokenizer/tokenizer_golden.json");
        Assert.SkipWhen(path is null, "../shared/data/tokenizer/tokenizer_golden.json is not beside the repository.");
        using var golden = JsonDocument.Parse(File.ReadAllBytes(path));

        foreach (var row in golden.RootElement.EnumerateArray())
        {
            Assert.Equal(Ids(row, "ids"), tokenizer.EncodeWithSpecialTokens(row.GetProperty("text").GetString() ?? ""));
        }
    }

    [Theory]
    [InlineData("a\U0001d4d0", 1)] // letters of two planes are one word, so one cut of the pattern
    [InlineData(" \U0001d7d8\U0001d7d9", 1)]
    [InlineData("a\U0001f642", 2)]
    [InlineData("it's  'twas 'S", 7)]
    public void PreTokenize_CharactersBeyondTheBasicPlane_AreLettersAndNumbersToo(string text, int pieces) =>
        Assert.Equal(pieces, new Gpt2PreTokenizer().PreTokenize(text).Count());

    [Fact]
    public void VocabularySize_NeoX_CountsAddedTokens() => Assert.Equal(50277, LoadNeoX().VocabularySize);

    private static int[] Ids(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    private static TextTokenizer LoadNeoX()
    {
        var path = Golden.FindShared(NeoX);
        Assert.SkipWhen(path is null, $"../shared/{NeoX} is not beside the repository; it is public data, too big to commit.");
        return TextTokenizer.LoadFile(path);
    }
}
