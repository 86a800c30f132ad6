using System.Text;

namespace Granary.Inference.Tokenizers;

/// <summary>GPT-2's alphabet: one printable character for each byte, in which byte-level vocabularies are written.</summary>
/// <remarks>OpenAI, <c>gpt-2/src/encoder.py</c>, <c>bytes_to_unicode</c>.</remarks>
internal static class ByteAlphabet
{
    private const short NoByte = -1;
    private static readonly char[] Characters = Build();
    private static readonly short[] Values = Invert();

    public static char Of(byte value) => Characters[value];

    /// <summary>Gets a token's bytes. One that is not written in the alphabet, such as an added run of spaces, stands for its own UTF-8.</summary>
    public static byte[] Decode(string token)
    {
        var bytes = new byte[token.Length];
        for (var index = 0; index < token.Length; index++)
        {
            var value = token[index] < Values.Length ? Values[token[index]] : NoByte;
            if (value == NoByte)
            {
                return Encoding.UTF8.GetBytes(token);
            }

            bytes[index] = (byte)value;
        }

        return bytes;
    }

    private static short[] Invert()
    {
        var values = new short[Characters.Max() + 1];
        Array.Fill(values, NoByte);
        for (var value = 0; value < Characters.Length; value++)
        {
            values[Characters[value]] = (short)value;
        }

        return values;
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
