using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>Names a data set's content: SHA-256 over its items in order, each string and list length-prefixed (u32 LE), strings in UTF-8.</summary>
internal static class ItemDigest
{
    /// <summary>Gets the digest.</summary>
    /// <param name="items">The items.</param>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Of(IReadOnlyList<DatasetItem> items)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, "granary dataset 1");
        Append(hash, items.Count);
        foreach (var item in items)
        {
            Append(hash, item.Id);
            Append(hash, item.Context);
            Append(hash, item.Questions.Length);
            foreach (var question in item.Questions)
            {
                Append(hash, question.Id);
                Append(hash, question.Question);
                Append(hash, question.Answers.Length);
                foreach (var answer in question.Answers)
                {
                    Append(hash, answer);
                }
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Append(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void Append(IncrementalHash hash, int number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
