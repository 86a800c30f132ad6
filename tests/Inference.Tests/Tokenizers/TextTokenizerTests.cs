using System.Text.Json.Nodes;
using CsCheck;
using Granary.Inference.Errors;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Tests.Tokenizers;

/// <summary>The sample model's tokenizer, and files that are damaged or of another kind.</summary>
public sealed class TextTokenizerTests : IDisposable
{
    private static readonly TextTokenizer Sample = TextTokenizer.Load(Golden.SampleModel) ?? throw new InvalidOperationException("The sample model has no tokenizer.");

    private static readonly string[] Pieces = ["  ", "\n", " the", "<|endoftext|>", "'s", "e\u0301", "中", "\U0001d4d0", "1 2"];

    private static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.Char.Select(character => char.IsSurrogate(character) ? "\U0001f642" : character.ToString()),
        Gen.Int[0, Pieces.Length - 1].Select(index => Pieces[index])).Array[0, 30].Select(string.Concat);

    private readonly ScratchFolder _scratch = new();

    [Fact]
    public void Decode_OfEncode_IsTheNormalizedText() => AnyText.Sample(text =>
    {
        var normalized = Nfc.Normalize(text);
        Assert.Equal(normalized, Sample.Decode(Sample.Encode(text)));
        Assert.Equal(normalized, Sample.Decode(Sample.EncodeWithSpecialTokens(text)));
    });

    [Fact]
    public void Append_TokenByToken_JoinsToTheDecodedText() => Gen.Int[-2, 1500].Array[0, 40].Sample(ids =>
    {
        var decoder = Sample.CreateDecoder();
        var joined = string.Concat(ids.Select(id => decoder.Append(id)).ToArray()) + decoder.Flush();
        Assert.Equal(Sample.Decode(ids), joined);
    });

    [Fact]
    public void Append_CharacterOfManyTokens_ComesWholeWithTheLast()
    {
        var ids = Sample.Encode("\U0001f642");
        Assert.True(ids.Length > 1);
        var decoder = Sample.CreateDecoder();

        Assert.All(ids[..^1], id => Assert.Equal("", decoder.Append(id)));
        Assert.Equal("\U0001f642", decoder.Append(ids[^1]));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Flush_IncompleteCharacter_IsTheReplacement()
    {
        var decoder = Sample.CreateDecoder();
        decoder.Append(Sample.Encode("中")[0]);
        Assert.Equal("\uFFFD", decoder.Flush());
    }

    [Fact]
    public void Encode_SpecialTokenInText_IsLiteralUnlessAllowed()
    {
        Assert.DoesNotContain(0, Sample.Encode("a<|endoftext|>b"));
        Assert.Equal([.. Sample.Encode("a"), 0, .. Sample.Encode("b")], Sample.EncodeWithSpecialTokens("a<|endoftext|>b"));
        Assert.Equal("ab", Sample.Decode(Sample.EncodeWithSpecialTokens("a<|endoftext|>b"), skipSpecialTokens: true));
        Assert.Equal("", Sample.CreateDecoder(skipSpecialTokens: true).Append(0));
    }

    [Fact]
    public void Encode_HalfASurrogatePair_CountsAsTheReplacement() => Assert.Equal(Sample.Encode("a\uFFFDb"), Sample.Encode("a\uD83Db"));

    [Fact]
    public void Decode_IdWithoutToken_AddsNothing() => Assert.Equal("a", Sample.Decode([-1, .. Sample.Encode("a"), 2047, int.MaxValue]));

    [Fact]
    public void Encode_LongTextOfOneWord_IsQuickEnoughToTest() => Assert.Equal(new string('a', 100_000), Sample.Decode(Sample.Encode(new string('a', 100_000))));

    [Fact]
    public void Load_NoTokenizerFile_IsNull() => Assert.Null(TextTokenizer.Load(_scratch.Path));

    [Fact]
    public void Digest_OtherLayoutOfTheFile_IsTheSame()
    {
        var digest = Sample.Digest;
        Assert.Matches("^[0-9a-f]{64}$", digest);
        Assert.Equal(digest, LoadChanged(root => root["version"] = "9").Digest); // and written without indents
        Assert.Equal(digest, LoadChanged(root => Model(root)["merges"] = new JsonArray([.. Merges(root).Select(merge => (JsonNode)new JsonArray([.. (merge?.GetValue<string>() ?? "").Split(' ').Select(part => JsonValue.Create(part))]))])).Digest);
    }

    [Fact]
    public void Digest_AnythingThatIdsDependOn_ChangesIt()
    {
        string[] digests =
        [
            Sample.Digest,
            LoadChanged(root => root["normalizer"] = null).Digest,
            LoadChanged(root => Merges(root).RemoveAt(700)).Digest,
            LoadChanged(root => Added(root)["special"] = false).Digest,
            LoadChanged(root => Model(root)["vocab"]?.AsObject().Add("zzzzzz", 9999)).Digest,
        ];
        Assert.Equal(5, digests.Distinct().Count());
    }

    [Fact]
    public void Load_PatternAsASplit_IsTheSameTokenizer()
    {
        var tokenizer = LoadChanged(root => root["pre_tokenizer"] = JsonNode.Parse("""
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}},
              {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """));
        Assert.Equal(Sample.Digest, tokenizer.Digest);
    }

    [Theory]
    [InlineData("normalizer", """{"type":"Lowercase"}""", "normalizer 'Lowercase'")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]}""", "normalizer 'NFKC'")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace"}""", "pre-tokenizer 'Metaspace'")]
    [InlineData("pre_tokenizer", "null", "pre-tokenizer 'none'")]
    [InlineData("pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":true}""", "add_prefix_space")]
    [InlineData("pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", "without use_regex")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"x"}},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}""", "pre-tokenizer 'Split + ByteLevel'")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}]}""", "post-processor 'TemplateProcessing'")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "decoder 'WordPiece'")]
    [InlineData("model", """{"type":"Unigram","vocab":[]}""", "model 'Unigram'")]
    [InlineData("model", """{"type":"WordPiece","vocab":{}}""", "model 'WordPiece'")]
    [InlineData("model", """{"type":"BPE","byte_fallback":true,"vocab":{},"merges":[]}""", "byte_fallback")]
    [InlineData("model", """{"type":"BPE","vocab":{},"merges":[]}""", "without tokens for 243 bytes")]
    [InlineData("added_tokens", """[{"id":0,"content":"<m>","lstrip":true}]""", "'<m>' with 'lstrip'")]
    public void Load_OtherKind_IsRefusedByItsName(string part, string json, string named) =>
        Assert.Contains(named, AssertInvalid(root => root[part] = JsonNode.Parse(json)), StringComparison.Ordinal);

    [Theory]
    [InlineData("model", "3", "no object 'model'")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":"b"},"merges":[]}""", "'a'")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":1,"b":1},"merges":[]}""", "'b' (1)")]
    [InlineData("added_tokens", "7", "'added_tokens' is not a list")]
    [InlineData("added_tokens", """[{"id":0}]""", "lacks its id or content")]
    [InlineData("added_tokens", """[{"id":0,"content":"a"},{"id":0,"content":"b"}]""", "twice")]
    public void Load_DamagedPart_SaysWhich(string part, string json, string fault) =>
        Assert.Contains(fault, AssertInvalid(root => root[part] = JsonNode.Parse(json)), StringComparison.Ordinal);

    [Fact]
    public void Load_MergeOfATokenWithASpace_IsDamaged() => Assert.Contains(
        "merge 1200",
        AssertInvalid(root =>
        {
            var vocabulary = Model(root)["vocab"]!.AsObject();
            foreach (var token in (string[])["a b", "a ba"])
            {
                vocabulary.Add(token, vocabulary.Count + 1000);
            }

            Merges(root).Add(new JsonArray("a b", "a"));
        }),
        StringComparison.Ordinal);

    [Fact]
    public void Load_MergeOfUnknownTokens_IsDamaged() => Assert.Contains("merge 1200", AssertInvalid(root => Merges(root).Add("q zzz")), StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("{\"model\":")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("""{"normalizer":{"type":"\ud800"}}""")]
    public void Load_NoJsonObject_IsInvalid(string content)
    {
        File.WriteAllText(_scratch.File("tokenizer.json"), content);
        var error = Assert.Throws<InferenceException>(() => TextTokenizer.Load(_scratch.Path));
        Assert.Equal("TokenizerInvalid", error.Code);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _scratch.Dispose();

    private static JsonObject Model(JsonObject root) => root["model"]?.AsObject() ?? throw new InvalidOperationException("The file has no model.");

    private static JsonArray Merges(JsonObject root) => Model(root)["merges"]?.AsArray() ?? throw new InvalidOperationException("The file has no merges.");

    private static JsonObject Added(JsonObject root) => root["added_tokens"]?[0]?.AsObject() ?? throw new InvalidOperationException("The file has no added token.");

    private TextTokenizer LoadChanged(Action<JsonObject> change)
    {
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.SampleModel, "tokenizer.json")))?.AsObject() ?? throw new InvalidOperationException("The file is no object.");
        change(root);
        File.WriteAllText(_scratch.File("tokenizer.json"), root.ToJsonString());
        return TextTokenizer.LoadFile(_scratch.File("tokenizer.json"));
    }

    private string AssertInvalid(Action<JsonObject> change)
    {
        var error = Assert.Throws<InferenceException>(() => LoadChanged(change));
        Assert.Equal("TokenizerInvalid", error.Code);
        return error.Message;
    }
}
