using System.Text;
using Granary.Inference.Errors;
using Microsoft.ML.Tokenizers;

namespace Granary.Inference.Tokenizers;

/// <summary>Text to token ids and back, by a checkpoint's <c>tokenizer.json</c>: byte-level BPE with GPT-2's pattern, as GPT-NeoX and Pythia have it.</summary>
/// <remarks>Gives what Hugging Face tokenizers gives without added beginning or end tokens. Safe for many threads.</remarks>
public sealed class TextTokenizer
{
    private const string FileName = "tokenizer.json";

    private readonly Lazy<BpeTokenizer> _bpe;
    private readonly bool _nfc;
    private readonly AddedTokens _raw;
    private readonly AddedTokens _normalized;
    private readonly Dictionary<int, byte[]> _bytes = [];
    private readonly HashSet<int> _special = [];

    private TextTokenizer(TokenizerFile file)
    {
        _nfc = file.Nfc;
        _raw = new AddedTokens(file.Added.Where(token => !token.Normalized));
        _normalized = new AddedTokens(file.Added.Where(token => token.Normalized).Select(token => token with { Content = Normalize(token.Content) }));
        _bpe = new Lazy<BpeTokenizer>(() => BpeTokenizer.Create(new BpeOptions(file.Vocabulary)
        {
            Merges = file.Merges.Select(static merge => merge.Line),
            ByteLevel = true,
            PreTokenizer = new Gpt2PreTokenizer(),
        }));
        _ = Task.Run(() => _bpe.Value); // its tables take as long as all the rest: whoever encodes before they are there waits for them
        _bytes.EnsureCapacity(file.Vocabulary.Count + file.Added.Count);
        foreach (var (token, id) in file.Vocabulary)
        {
            _bytes[id] = ByteAlphabet.Decode(token);
        }

        foreach (var token in file.Added)
        {
            _bytes[token.Id] = ByteAlphabet.Decode(token.Content);
            if (token.Special)
            {
                _special.Add(token.Id);
            }
        }

        VocabularySize = _bytes.Keys.Max() + 1;
        Digest = file.Digest();
    }

    /// <summary>Gets the bound of its token ids: all are below it. A model's vocabulary is often padded beyond it.</summary>
    public int VocabularySize { get; }

    /// <summary>Gets the SHA-256 of all that token ids depend on (vocabulary, merges, added tokens, normalizer), 64 hexadecimal digits. How the file is laid out does not change it.</summary>
    public string Digest { get; }

    /// <summary>Loads a folder's tokenizer.</summary>
    /// <param name="folder">A checkpoint folder.</param>
    /// <returns>The tokenizer; <see langword="null"/> if the folder has no <c>tokenizer.json</c>.</returns>
    /// <exception cref="InferenceException"><c>TokenizerInvalid</c>: the file is damaged, or of a kind that is not supported, which the message names.</exception>
    public static TextTokenizer? Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = Path.GetFullPath(Path.Combine(folder, FileName));
        return File.Exists(path) ? LoadFile(path) : null;
    }

    /// <summary>Loads a tokenizer's file.</summary>
    /// <param name="path">A <c>tokenizer.json</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="InferenceException"><c>TokenizerInvalid</c>: the file cannot be read, is damaged, or of a kind that is not supported.</exception>
    public static TextTokenizer LoadFile(string path) => new(TokenizerFile.Read(path));

    /// <summary>Encodes text in which special tokens, such as <c>&lt;|endoftext|&gt;</c>, are text like any other. For what users give.</summary>
    /// <param name="text">The text. A surrogate without its other half counts as U+FFFD.</param>
    /// <returns>Its token ids.</returns>
    public int[] Encode(string text) => Encode(text, specialTokens: false);

    /// <summary>Encodes text in which special tokens become their ids.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Its token ids.</returns>
    public int[] EncodeWithSpecialTokens(string text) => Encode(text, specialTokens: true);

    /// <summary>Decodes token ids.</summary>
    /// <param name="ids">Token ids; one without a token, such as a padded vocabulary has, adds nothing.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <returns>The text; bytes that are no UTF-8 become U+FFFD.</returns>
    public string Decode(IReadOnlyList<int> ids, bool skipSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>(ids.Count * 4);
        foreach (var id in ids)
        {
            bytes.AddRange(BytesOf(id, skipSpecialTokens));
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>Makes a decoder for ids that come one by one.</summary>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <returns>The decoder.</returns>
    public StreamingDecoder CreateDecoder(bool skipSpecialTokens = false) => new(this, skipSpecialTokens);

    internal ReadOnlySpan<byte> BytesOf(int id, bool skipSpecialTokens) =>
        (skipSpecialTokens && _special.Contains(id)) || !_bytes.TryGetValue(id, out var bytes) ? [] : bytes;

    private int[] Encode(string text, bool specialTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(text.Length / 3);
        foreach (var (token, given) in _raw.Split(WellFormed(text), specialTokens))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
                continue;
            }

            foreach (var (added, part) in _normalized.Split(Normalize(given), specialTokens))
            {
                if (added is not null)
                {
                    ids.Add(added.Id);
                }
                else
                {
                    ids.AddRange(_bpe.Value.EncodeToIds(part));
                }
            }
        }

        return [.. ids];
    }

    private string Normalize(string text) => _nfc ? Nfc.Normalize(text) : text;

    private static string WellFormed(string text) =>
        text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0 ? text : string.Concat(text.EnumerateRunes());
}
