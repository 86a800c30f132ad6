using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Granary.Storage.Chunks;

/// <summary>Token ids as the formats have them: int32, little-endian.</summary>
internal static class LittleEndian
{
    /// <summary>Gets the ids' bytes, in place.</summary>
    public static ReadOnlySpan<byte> Bytes(ReadOnlySpan<int> ids)
    {
        Debug.Assert(BitConverter.IsLittleEndian, "Granary runs on little-endian machines only: KV is stored as it lies in memory.");
        return MemoryMarshal.AsBytes(ids);
    }
}
