using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Granary.Storage.Chunks;
using Granary.Storage.Errors;

namespace Granary.Storage.Tests.Chunks;

public sealed class ChunkChainTests
{
    // Made by the standard library of Python 3 from the format's text in src/Storage/Chunks/README.md, not by this code:
    // f = lambda b: struct.pack('<I', len(b)) + b; h = lambda b: hashlib.sha256(b).digest()
    // h0 = h(f(struct.pack('<I', 1)) + f(bytes(range(32))) + f(b'c0ffee') + f(b'n1')); h1 = h(h0 + struct.pack('<I3I', 3, 1, 2, 50000)); h2 = h(h1 + struct.pack('<I1I', 1, 0))
    [Fact]
    public void Next_KnownInputs_GivesTheGoldenHashes()
    {
        var root = ChunkHash.Root([.. Enumerable.Range(0, 32).Select(i => (byte)i)], "c0ffee", "n1");
        Assert.Equal("1647e1a11d2461fe22d7fed86ba0722963a3a416ce30258cc8ac25b2dc2e682b", root.ToString());
        var first = root.Next([1, 2, 50000]);
        Assert.Equal("9945ff0305da3d1c7e8a1edd8985195afa524f77a823043b10c6c9e75536ca8c", first.ToString());
        Assert.Equal("b3ea82f21ed6ce95428803e18ce777341920b264521b112bd54e8429afb29089", first.Next([0]).ToString());
    }

    [Fact]
    public void Of_AnySequence_IsTheChainOfTheFormat() =>
        Gen.Select(Gen.Byte.Array[0, 40], Gen.Char.AlphaNumeric.Array[1, 20].Select(c => new string(c)), Gen.Int[0, 60_000].Array[0, 50], Gen.Int[1, 9]).Sample((salt, fingerprint, ids, pageSize) =>
        {
            var pages = ChunkChain.Of(salt, fingerprint, "numerics", ids, pageSize, "t", Pages.Shape);

            var parent = SHA256.HashData([.. Field([1, 0, 0, 0]), .. Field(salt), .. Field(Encoding.UTF8.GetBytes(fingerprint)), .. Field("numerics"u8.ToArray())]);
            Assert.Equal((ids.Length + pageSize - 1) / pageSize, pages.Length);
            for (var i = 0; i < pages.Length; i++)
            {
                var part = ids.Skip(i * pageSize).Take(pageSize).ToArray();
                var hash = SHA256.HashData([.. parent, .. Integer(part.Length), .. part.SelectMany(Integer)]);
                Assert.Equal(Convert.ToHexStringLower(hash), pages[i].Hash.ToString());
                Assert.Equal(Convert.ToHexStringLower(parent), pages[i].Parent.ToString());
                Assert.Equal((i * pageSize, part.Length), (pages[i].Start, pages[i].Count));
                Assert.Equal(part, pages[i].TokenIds.ToArray());
                parent = hash;
            }
        });

    [Fact, Trait("Invariant", "12")]
    public void Of_SaltTenantModelOrNumericsDiffer_SharesNoKey()
    {
        int[] ids = [1, 2, 3];
        ChunkIdentity[] pages =
        [
            .. ChunkChain.Of([1], "f", "n", ids, 4, "a", Pages.Shape),
            .. ChunkChain.Of([2], "f", "n", ids, 4, "a", Pages.Shape),
            .. ChunkChain.Of([1], "f", "n", ids, 4, "b", Pages.Shape),
            .. ChunkChain.Of([1], "g", "n", ids, 4, "a", Pages.Shape),
            .. ChunkChain.Of([1], "f", "m", ids, 4, "a", Pages.Shape),
        ];
        Assert.Equal(pages.Length, pages.Select(p => p.Key).Distinct().Count());
    }

    [Fact]
    public void Root_FieldsRunIntoEachOther_DiffersAllTheSame()
    {
        Assert.NotEqual(ChunkHash.Root([1], "ab", "c"), ChunkHash.Root([1], "a", "bc"));
        Assert.NotEqual(ChunkHash.Root([1, (byte)'a'], "b", "c"), ChunkHash.Root([1], "ab", "c"));
    }

    [Fact]
    public void Key_FormatOfTheDesign_IsKept()
    {
        var page = Pages.Of(3)[0];
        var hash = page.Hash.ToString();

        Assert.Equal($"chunks/acme/0011223344556677/abcdef01/{hash[..2]}/{hash}.safetensors", page.Key);
        Assert.Equal(2 * 2 * 3 * 3 * 4 * 4, page.KvBytes);
        Assert.Equal(page.KvBytes + 12, page.DataBytes);
    }

    [Theory, InlineData(".."), InlineData(""), InlineData("a/b"), InlineData("..\\x"), InlineData("a\0")]
    [Trait("Invariant", "12")]
    public void Of_TenantCouldEscape_RefusesIt(string tenant)
    {
        Assert.Equal("InvalidName", Assert.Throws<StorageException>(() => Pages.Of(3, tenant: tenant)).Code);
        Assert.Throws<StorageException>(() => ChunkChain.Of([1], tenant, "n", new int[1], 4, "a", Pages.Shape));
        Assert.Throws<StorageException>(() => ChunkChain.Of([1], "f", tenant, new int[1], 4, "a", Pages.Shape));
    }

    [Fact]
    public void Parse_AnyHash_RoundTrips() => Gen.Byte.Array[32].Sample(bytes =>
    {
        var text = Convert.ToHexStringLower(bytes);
        var hash = ChunkHash.Parse(text);
        Assert.Equal(text, hash.ToString());
        Assert.Equal(hash, ChunkHash.Parse(text.ToUpperInvariant()));
        Assert.Throws<FormatException>(() => ChunkHash.Parse(text[1..]));
        Assert.Throws<FormatException>(() => ChunkHash.Parse("x" + text[1..]));
    });

    private static byte[] Field(byte[] bytes) => [.. Integer(bytes.Length), .. bytes];

    private static byte[] Integer(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)value);
        return bytes;
    }
}
