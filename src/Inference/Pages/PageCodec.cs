using Granary.Inference.Kernels;

namespace Granary.Inference.Pages;

/// <summary>Brings a page's KV into the form that a chunk has, and back.</summary>
/// <remarks>A chunk has the page's numbers in their order, each rounded to bfloat16. Within a page nothing has been rounded yet when its own rows attend to each other: the codec takes the page as a whole, once.</remarks>
internal static unsafe class PageCodec
{
    private const int SliceElements = 4096; // rounded while they are in the nearest cache
    private static readonly RowKernels Kernels = RowKernels.Best(KvDtype.BFloat16.Bytes());

    /// <summary>Makes a computed page what a reader of its chunk will have.</summary>
    /// <param name="page">The page; nobody else reads it yet.</param>
    public static void Apply(KvMemory page)
    {
        if (page.Layout.Codec == KvCodec.None)
        {
            return;
        }

        var slice = stackalloc ushort[SliceElements];
        var values = (float*)page.Address;
        for (var first = 0L; first < page.Bytes / sizeof(float); first += SliceElements)
        {
            var count = (int)Math.Min(SliceElements, (page.Bytes / sizeof(float)) - first);
            Kernels.Narrow(values + first, count, (byte*)slice);
            Kernels.Widen((byte*)slice, count, values + first);
        }
    }

    /// <summary>Encodes a page to which <see cref="Apply"/> was applied, or that was decoded: nothing is lost any more.</summary>
    /// <param name="page">The page; the caller holds a reference.</param>
    /// <param name="stored">Takes the chunk's bytes.</param>
    public static void Encode(KvMemory page, Span<byte> stored)
    {
        fixed (byte* elements = stored)
        {
            Kernels.Narrow((float*)page.Address, stored.Length / sizeof(ushort), elements);
        }
    }

    /// <summary>Spreads a chunk's bytes, which lie at the end of the page's memory, over all of it.</summary>
    /// <remarks>From the front: what is written to has always been read.</remarks>
    /// <param name="page">The page; nobody else reads it yet.</param>
    public static void Decode(KvMemory page)
    {
        var count = checked((int)(page.Bytes / sizeof(float)));
        Kernels.Widen((byte*)page.Address + (page.Bytes / 2), count, (float*)page.Address);
    }
}
