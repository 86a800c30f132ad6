using System.Buffers;

namespace Granary.Inference.Pages;

/// <summary>A chunk's bytes, of a page that lends its own or had to encode them.</summary>
/// <param name="memory">The bytes.</param>
/// <param name="rented">What they lie in, where it is not the page.</param>
public readonly struct EncodedPage(ReadOnlyMemory<byte> memory, IMemoryOwner<byte>? rented) : IDisposable
{
    /// <summary>Gets the bytes, valid while the page's reference is held and until this is disposed.</summary>
    public ReadOnlyMemory<byte> Memory => memory;

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => rented?.Dispose();
}
