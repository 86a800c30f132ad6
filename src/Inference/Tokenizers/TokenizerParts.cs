using System.Text.Json;

namespace Granary.Inference.Tokenizers;

/// <summary>Checks that the parts of a <c>tokenizer.json</c> beside the vocabulary do what <see cref="TextTokenizer"/> does, and no more.</summary>
internal static class TokenizerParts
{
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private const string Gpt2PatternGrouped = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Gets a flag; absent or null, its default.</summary>
    public static bool Flag(JsonElement element, string name, bool unless) =>
        element.TryGetProperty(name, out var value) ? value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => unless } : unless;

    /// <summary>Gets whether text is normalized to NFC; it is not normalized at all otherwise.</summary>
    public static bool ReadNormalizer(TokenizerFile file, JsonElement root)
    {
        var nfc = false;
        foreach (var part in Parts(root, "normalizer", "normalizers"))
        {
            nfc |= KindOf(part) == "NFC" ? true : throw file.Unsupported($"the normalizer '{KindOf(part)}'");
        }

        return nfc;
    }

    /// <summary>Checks for GPT-2's pattern and bytes: <c>ByteLevel</c>, or <c>Split</c> by the pattern and <c>ByteLevel</c> without one.</summary>
    public static void CheckPreTokenizer(TokenizerFile file, JsonElement root)
    {
        var parts = Parts(root, "pre_tokenizer", "pretokenizers");
        var split = parts.Count == 2 && IsGpt2Split(parts[0]);
        if (parts.Count == 0 || (parts.Count > 1 && !split) || KindOf(parts[^1]) != "ByteLevel")
        {
            throw file.Unsupported($"the pre-tokenizer '{(parts.Count == 0 ? "none" : string.Join(" + ", parts.Select(KindOf)))}'");
        }

        if (Flag(parts[^1], "add_prefix_space", true))
        {
            throw file.Unsupported("the pre-tokenizer 'ByteLevel' with add_prefix_space");
        }

        if (Flag(parts[^1], "use_regex", true) == split)
        {
            throw file.Unsupported(split ? "the pre-tokenizer 'Split' followed by 'ByteLevel' with use_regex" : "the pre-tokenizer 'ByteLevel' without use_regex");
        }
    }

    /// <summary>Checks for the inverse of the bytes.</summary>
    public static void CheckDecoder(TokenizerFile file, JsonElement root)
    {
        var parts = Parts(root, "decoder", "decoders");
        if (parts.Count != 1 || KindOf(parts[0]) != "ByteLevel")
        {
            throw file.Unsupported($"the decoder '{(parts.Count == 0 ? "none" : string.Join(" + ", parts.Select(KindOf)))}'");
        }
    }

    /// <summary>Checks that nothing is added before or after a text.</summary>
    public static void CheckPostProcessor(TokenizerFile file, JsonElement root)
    {
        foreach (var part in Parts(root, "post_processor", "processors"))
        {
            // A template of nothing but the text itself is harmless; transformers writes such.
            var addsNothing = KindOf(part) == "TemplateProcessing"
                && part.TryGetProperty("single", out var single) && single.ValueKind == JsonValueKind.Array && single.GetArrayLength() == 1
                && single[0].ValueKind == JsonValueKind.Object && single[0].TryGetProperty("Sequence", out _);
            if (KindOf(part) != "ByteLevel" && !addsNothing)
            {
                throw file.Unsupported($"the post-processor '{KindOf(part)}', which adds tokens to a text");
            }
        }
    }

    /// <summary>Checks for BPE without the variants of other models.</summary>
    public static void CheckModel(TokenizerFile file, JsonElement model)
    {
        if (KindOf(model) is var kind and not "BPE")
        {
            throw file.Unsupported($"the model '{kind}'");
        }

        foreach (var flag in (string[])["byte_fallback", "ignore_merges"])
        {
            if (Flag(model, flag, false))
            {
                throw file.Unsupported($"the model 'BPE' with {flag}");
            }
        }

        foreach (var affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.TryGetProperty(affix, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() != "")
            {
                throw file.Unsupported($"the model 'BPE' with {affix}");
            }
        }

        if (model.TryGetProperty("dropout", out var dropout) && dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() != 0)
        {
            throw file.Unsupported("the model 'BPE' with dropout");
        }
    }

    // One part, or those of a Sequence; none where it is absent or null.
    private static List<JsonElement> Parts(JsonElement root, string name, string listName)
    {
        if (!root.TryGetProperty(name, out var part) || part.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return KindOf(part) == "Sequence" && part.TryGetProperty(listName, out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : [part];
    }

    // Files of the first tokenizers name no type for their model; theirs was BPE too.
    private static string KindOf(JsonElement part)
    {
        if (part.ValueKind != JsonValueKind.Object)
        {
            return part.GetRawText();
        }

        return part.TryGetProperty("type", out var type) ? type.ToString() : part.TryGetProperty("merges", out _) ? "BPE" : "without a type";
    }

    private static bool IsGpt2Split(JsonElement part) =>
        KindOf(part) == "Split"
        && part.TryGetProperty("pattern", out var pattern) && pattern.ValueKind == JsonValueKind.Object
        && pattern.TryGetProperty("Regex", out var regex) && regex.ToString() is Gpt2Pattern or Gpt2PatternGrouped
        && part.TryGetProperty("behavior", out var behavior) && behavior.ToString() == "Isolated"
        && !Flag(part, "invert", false);
}
