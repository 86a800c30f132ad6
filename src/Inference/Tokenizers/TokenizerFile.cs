using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;

namespace Granary.Inference.Tokenizers;

/// <summary>What a <c>tokenizer.json</c> says, if it is of the one kind that is supported; another kind is refused, never guessed at.</summary>
internal sealed class TokenizerFile
{
    private readonly string _path;

    private TokenizerFile(string path, JsonElement root)
    {
        _path = path;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Invalid("it is not a JSON object");
        }

        Nfc = TokenizerParts.ReadNormalizer(this, root);
        TokenizerParts.CheckPreTokenizer(this, root);
        TokenizerParts.CheckDecoder(this, root);
        TokenizerParts.CheckPostProcessor(this, root);
        var model = Object(root, "model");
        TokenizerParts.CheckModel(this, model);
        ReadVocabulary(Object(model, "vocab"));
        ReadMerges(model);
        ReadAdded(root);
    }

    public bool Nfc { get; }

    public Dictionary<string, int> Vocabulary { get; } = new(StringComparer.Ordinal);

    public List<Merge> Merges { get; } = [];

    public List<AddedToken> Added { get; } = [];

    public static TokenizerFile Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return new TokenizerFile(path, document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException) // InvalidOperation: strings that are not Unicode
        {
            throw new InferenceException(ErrorCode.TokenizerInvalid, $"'{path}' cannot be read: {e.Message}", "Download tokenizer.json again.", e);
        }
    }

    /// <summary>Hashes all that token ids depend on, each part with its length in front.</summary>
    public string Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var text = new ArrayBufferWriter<byte>();
        Append(Nfc ? "granary.tokenizer.1 bpe byte-level gpt2 nfc" : "granary.tokenizer.1 bpe byte-level gpt2");
        Append($"{Vocabulary.Count}");
        var tokens = Vocabulary.Keys.ToArray();
        var ids = Vocabulary.Values.ToArray(); // no id stands there twice
        Array.Sort(ids, tokens);
        for (var index = 0; index < ids.Length; index++)
        {
            Append($"{ids[index]}");
            Append(tokens[index]);
        }

        Append($"{Merges.Count}");
        foreach (var merge in Merges)
        {
            Append(merge.Left);
            Append(merge.Right);
        }

        foreach (var token in Added.OrderBy(token => token.Id).ThenBy(token => token.Content, StringComparer.Ordinal))
        {
            Append($"{token.Id} {token.Special} {token.Normalized}");
            Append(token.Content);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append(ReadOnlySpan<char> part)
        {
            text.ResetWrittenCount();
            Encoding.UTF8.GetBytes(part, text);
            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, text.WrittenCount);
            hash.AppendData(length);
            hash.AppendData(text.WrittenSpan);
        }
    }

    public InferenceException Invalid(string fault) =>
        new(ErrorCode.TokenizerInvalid, $"'{_path}' is damaged: {fault}.", "Download tokenizer.json again.");

    public InferenceException Unsupported(string what) =>
        new(ErrorCode.TokenizerInvalid, $"'{_path}' has {what}, which is not supported.", "Supported is byte-level BPE with GPT-2's pattern and the normalizer NFC or none, as GPT-NeoX and Pythia have it. Without tokenizer.json the model works with token ids.");

    private JsonElement Object(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object ? value : throw Invalid($"it has no object '{name}'");

    private void ReadVocabulary(JsonElement vocab)
    {
        var count = vocab.GetPropertyCount();
        var ids = new HashSet<int>(count);
        Vocabulary.EnsureCapacity(count);
        foreach (var entry in vocab.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id < 0 || !ids.Add(id) || !Vocabulary.TryAdd(entry.Name, id))
            {
                throw Invalid($"the vocabulary's entry '{entry.Name}' ({entry.Value.GetRawText()}) is no token id, or stands there twice");
            }
        }

        // Text is UTF-8, in which C0, C1 and F5 to FF do not occur; any other byte may stand alone.
        var missing = Enumerable.Range(0, 256).Where(value => value is not (0xC0 or 0xC1 or >= 0xF5) && !Vocabulary.ContainsKey(ByteAlphabet.Of((byte)value).ToString())).ToList();
        if (missing.Count > 0)
        {
            throw Unsupported($"a vocabulary without tokens for {missing.Count} bytes (the first is 0x{missing[0]:X2})");
        }
    }

    private void ReadMerges(JsonElement model)
    {
        if (!model.TryGetProperty("merges", out var merges) || merges.ValueKind != JsonValueKind.Array)
        {
            throw Invalid("its model has no list 'merges'");
        }

        var seen = new HashSet<(int, int)>(merges.GetArrayLength());
        Merges.EnsureCapacity(merges.GetArrayLength());
        foreach (var stored in merges.EnumerateArray())
        {
            if (Merge.Read(stored) is not { } merge || !merge.TryGetIds(Vocabulary, out var ids))
            {
                throw Invalid($"merge {Merges.Count} ({stored.GetRawText()}) is not two tokens of the vocabulary that make a third");
            }

            if (!seen.Add(ids))
            {
                throw Invalid($"merge {Merges.Count} ({stored.GetRawText()}) stands there twice");
            }

            Merges.Add(merge);
        }
    }

    private void ReadAdded(JsonElement root)
    {
        if (!root.TryGetProperty("added_tokens", out var list) || list.ValueKind == JsonValueKind.Null)
        {
            return;
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw Invalid("'added_tokens' is not a list");
        }

        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object
                || !item.TryGetProperty("id", out var number) || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out var id) || id < 0
                || !item.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.String || content.GetString() is not { Length: > 0 } text)
            {
                throw Invalid($"the added token {item.GetRawText()} lacks its id or content");
            }

            foreach (var flag in (string[])["lstrip", "rstrip", "single_word"])
            {
                if (TokenizerParts.Flag(item, flag, false))
                {
                    throw Unsupported($"the added token '{text}' with '{flag}'");
                }
            }

            var special = TokenizerParts.Flag(item, "special", false);
            var token = new AddedToken(id, text, special, TokenizerParts.Flag(item, "normalized", !special));
            if (Added.Any(other => other.Id == id || other.Content == text))
            {
                throw Invalid($"the added token '{text}' ({id}) stands there twice");
            }

            Added.Add(token);
        }
    }
}
