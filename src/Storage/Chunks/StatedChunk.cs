using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Chunks;

/// <summary>What a chunk's header states, for one who does not know which chunk it should be: a check of the whole store.</summary>
/// <remarks>
/// It is believed as far as the bytes confirm it: <see cref="ChunkHeader.FindChecksum"/> then compares the header with the canonical one of this identity, as every reader does.
/// </remarks>
/// <param name="Identity">The identity, still without token ids.</param>
/// <param name="Checksum">The checksum of the data.</param>
internal sealed record StatedChunk(ChunkIdentity Identity, string Checksum)
{
    /// <summary>The longest header that is read, in bytes: 10,000 tensors.</summary>
    public const int MaxHeaderLength = 1 << 20;

    // More than any model or page has; their products are compared with the file's length before they are used.
    private const int MaxDimension = 1 << 20;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 4, AllowDuplicateProperties = false };

    /// <summary>Reads a header.</summary>
    /// <param name="tenant">Whose it is, by its key.</param>
    /// <param name="header">The length prefix and the JSON, whole.</param>
    /// <param name="dataBytes">The bytes behind the header.</param>
    /// <param name="stated">What it states.</param>
    /// <returns><see langword="false"/> where it is not the canonical header of any chunk with so many bytes.</returns>
    public static bool TryRead(string tenant, ReadOnlyMemory<byte> header, long dataBytes, [NotNullWhen(true)] out StatedChunk? stated)
    {
        stated = null;
        try
        {
            using var document = JsonDocument.Parse(header[sizeof(long)..], Strict);
            if (FindIdentity(tenant, document.RootElement, dataBytes) is { } identity && ChunkHeader.FindChecksum(identity, header.Span) is { } checksum)
            {
                stated = new StatedChunk(identity, checksum);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or StorageException)
        {
            // No JSON, a member that is missing or of another kind, or a name that cannot be part of a key.
        }

        return stated is not null;
    }

    /// <summary>Reads the length of a header, prefix included.</summary>
    /// <param name="prefix">The first 8 bytes.</param>
    /// <param name="fileLength">The bytes of the file.</param>
    /// <returns>Bytes, at most <see cref="MaxHeaderLength"/>; <see langword="null"/> where no header can be so long.</returns>
    public static int? LengthOf(ReadOnlySpan<byte> prefix, long fileLength) =>
        BinaryPrimitives.ReadInt64LittleEndian(prefix) is var length and > 0 && length <= Math.Min(MaxHeaderLength, fileLength) - sizeof(long) ? (int)length + sizeof(long) : null;

    private static ChunkIdentity? FindIdentity(string tenant, JsonElement root, long dataBytes)
    {
        var metadata = root.GetProperty("__metadata__"u8);
        var layers = (root.GetPropertyCount() - 2) / 2;
        if (layers < 1
            || !TryRead(metadata, "count", out var count)
            || !TryRead(metadata, "start", out var start)
            || !ChunkHash.TryParse(Text(metadata, "hash"), out var hash)
            || !ChunkHash.TryParse(Text(metadata, "parent"), out var parent)
            || FindShape(root.GetProperty("layers.0.key"u8), layers) is not { } shape
            || (2 * (UInt128)(uint)layers * (uint)shape.KvHeads * (uint)shape.HeadDim * (uint)shape.ElementBytes * (uint)count) + (sizeof(int) * (UInt128)(uint)count) != (UInt128)dataBytes)
        {
            return null;
        }

        return new ChunkIdentity
        {
            Tenant = ObjectKey.CheckName("tenant", tenant),
            Fingerprint = ObjectKey.CheckName("fingerprint", Text(metadata, "fingerprint")),
            Numerics = ObjectKey.CheckName("numerics id", Text(metadata, "numerics")),
            Hash = hash,
            Parent = parent,
            Start = start,
            Count = count,
            Shape = shape,
            TokenIds = default,
        };
    }

    private static ChunkShape? FindShape(JsonElement tensor, int layers)
    {
        var shape = tensor.GetProperty("shape"u8);
        return shape.GetArrayLength() == 3 && IsDimension(shape[0], out var heads) && IsDimension(shape[1], out _) && IsDimension(shape[2], out var headDim)
            && ChunkShape.DtypeOf(tensor.GetProperty("dtype"u8).GetString()) is { } dtype
            ? new ChunkShape(layers, heads, headDim, dtype)
            : null;
    }

    private static bool IsDimension(JsonElement element, out int value) => element.TryGetInt32(out value) && value is >= 1 and <= MaxDimension;

    private static bool TryRead(JsonElement metadata, string name, out int value) =>
        int.TryParse(Text(metadata, name), NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static string Text(JsonElement metadata, string name) => metadata.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");
}
