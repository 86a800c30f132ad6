using System.Text;

namespace Granary.Inference.Tokenizers;

/// <summary>GPT-2's alphabet: one printable character for each byte, in which byte-level vocabularies are written.</summary>
/// <remarks>OpenAI, <c>gpt-2/src/encoder.py</c>, <c>bytes_to_unicode</c>.</remarks>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = Build();
    private static readonly Dictionary<char, byte> Bytes = Characters.Select((character, value) => (character, value)).ToDictionary(pair => pair.character, pair => (byte)pair.value);

    public static char Of(byte value) => Characters[value];

    /// <summary>Gets a token's bytes. One that is not written in the alphabet, such as an added run of spaces, stands for its own UTF-8.</summary>
    public static byte[] Decode(string token)
    {
        var bytes = new byte[token.Length];
        for (var index = 0; index < token.Length; index++)
        {
            if (!Bytes.TryGetValue(token[index], out bytes[index]))
            {
                return Encoding.UTF8.GetBytes(token);
            }
        }

        return bytes;
    }

    private static char[] Build()
    {
        var characters = new char[256];
        var next = 256;
        for (var value = 0; value < 256; value++)
        {
            var printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            characters[value] = (char)(printable ? value : next++);
        }

        return characters;
    }
}
