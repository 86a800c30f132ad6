using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Granary.Storage.Chunks;

/// <summary>A link of the hash chain: names a page by all token ids up to its end, and by whose, which model's and which numerics' KV it is. 32 bytes.</summary>
/// <remarks>Format: this folder's README. Invariant 12: the chain starts with the tenant's salt.</remarks>
public readonly record struct ChunkHash
{
    /// <summary>The version of the chunk format, which the chain starts with.</summary>
    public const int FormatVersion = 1;

    /// <summary>The bytes of a hash.</summary>
    public const int Length = 32;

    private readonly UInt128 _high;
    private readonly UInt128 _low;

    private ChunkHash(ReadOnlySpan<byte> bytes)
    {
        _high = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        _low = BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]);
    }

    /// <summary>Gets the start of a chain, H0, which names no page.</summary>
    /// <param name="salt">The tenant's salt.</param>
    /// <param name="fingerprintHex">The model's fingerprint.</param>
    /// <param name="numericsId">The numerics id.</param>
    /// <returns>H0.</returns>
    public static ChunkHash Root(ReadOnlySpan<byte> salt, string fingerprintHex, string numericsId)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> version = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(version, FormatVersion);
        AppendField(hash, version);
        AppendField(hash, salt);
        AppendField(hash, Encoding.UTF8.GetBytes(fingerprintHex));
        AppendField(hash, Encoding.UTF8.GetBytes(numericsId));
        return Finish(hash);
    }

    /// <summary>Parses 64 hexadecimal digits.</summary>
    /// <param name="text">The digits.</param>
    /// <returns>The hash.</returns>
    /// <exception cref="FormatException">It is something else; give what <see cref="ToString"/> gave.</exception>
    public static ChunkHash Parse(string text) => TryParse(text, out var hash) ? hash : throw new FormatException($"'{text}' is not a chunk hash of 64 hexadecimal digits.");

    /// <summary>Parses 64 hexadecimal digits.</summary>
    /// <param name="text">The digits.</param>
    /// <param name="hash">The hash.</param>
    /// <returns><see langword="false"/> where it is something else.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out ChunkHash hash)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var valid = text?.Length == 2 * Length && Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done;
        hash = valid ? new(bytes) : default;
        return valid;
    }

    /// <summary>Gets the next link, Hi, which names the page that ends with some more ids.</summary>
    /// <param name="tokenIds">The page's token ids.</param>
    /// <returns>Hi.</returns>
    public ChunkHash Next(ReadOnlySpan<int> tokenIds)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> start = stackalloc byte[Length + sizeof(int)];
        Write(start);
        BinaryPrimitives.WriteInt32LittleEndian(start[Length..], tokenIds.Length);
        hash.AppendData(start);
        hash.AppendData(LittleEndian.Bytes(tokenIds));
        return Finish(hash);
    }

    /// <summary>Gets 64 lower-case hexadecimal digits.</summary>
    /// <returns>The digits.</returns>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt128BigEndian(bytes, _high);
        BinaryPrimitives.WriteUInt128BigEndian(bytes[16..], _low);
    }

    private static ChunkHash Finish(IncrementalHash hash)
    {
        Span<byte> bytes = stackalloc byte[Length];
        hash.GetHashAndReset(bytes);
        return new(bytes);
    }

    private static void AppendField(IncrementalHash hash, ReadOnlySpan<byte> field)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, field.Length);
        hash.AppendData(length);
        hash.AppendData(field);
    }
}
