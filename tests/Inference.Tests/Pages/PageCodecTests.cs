using System.Runtime.InteropServices;
using CsCheck;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Pages;

public sealed class PageCodecTests
{
    private static readonly float[] Special =
    [
        0f, -0f, 1f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.MaxValue, float.Epsilon, 1.00390625f, 1.01171875f, BitConverter.UInt32BitsToSingle(0x7f7fffff), BitConverter.UInt32BitsToSingle(0x00007fff),
    ];

    [Fact]
    public void Apply_AnyValues_IsLibtorchsRoundingAndStaysAfterItsChunk() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 37], Gen.Int[1, 9], Gen.Int).Sample(
            drawn =>
            {
                var (layers, tokens, headDim, seed) = drawn;
                var layout = new KvLayout(layers, KvHeads: 2, headDim, KvDtype.Float32, PageSize: 256, KvCodec.BFloat16);
                var page = Fill(layout, tokens, seed);
                var restored = KvPage.Create(layout, 0, tokens, reservation: null);
                try
                {
                    var expected = Rounded(page);

                    PageCodec.Apply(page.Data);
                    using var stored = page.Encode();
                    stored.Memory.CopyTo(restored.Incoming);
                    restored.Decode();

                    Assert.Equal(page.Bytes / 2, stored.Memory.Length);
                    Assert.Equal(page.StoredBytes, stored.Memory.Length);
                    Assert.Equal(expected, page.Span.ToArray());
                    Assert.Equal(expected, restored.Span.ToArray());
                }
                finally
                {
                    page.Release();
                    restored.Release();
                }
            },
            iter: 200);

    [Fact]
    public void Apply_CodecNone_ChangesNothing_AndLendsThePagesOwnBytes()
    {
        var page = Fill(new KvLayout(2, 2, 8, KvDtype.Float32, 256), 5, seed: 1);
        var before = page.Span.ToArray();

        PageCodec.Apply(page.Data);
        using var stored = page.Encode();
        page.Decode();

        Assert.Equal(before, page.Span.ToArray());
        Assert.True(stored.Memory.Span == page.Span);
        Assert.True(page.Incoming.Span == page.Span);
        page.Release();
    }

    [Theory]
    [InlineData(KvCodec.None, KvDtype.Float64, KvDtype.Float64)]
    [InlineData(KvCodec.BFloat16, KvDtype.Float32, KvDtype.BFloat16)]
    [InlineData(KvCodec.BFloat16, KvDtype.BFloat16, null)]
    [InlineData(KvCodec.BFloat16, KvDtype.Float64, null)]
    public void StoredDtype_IsForFloat32Only(KvCodec codec, KvDtype dtype, KvDtype? stored) => Assert.Equal(stored, codec.StoredDtype(dtype));

    [Theory]
    [InlineData("none", true)]
    [InlineData("bfloat16", true)]
    [InlineData("BFLOAT16", false)]
    [InlineData("int8", false)]
    [InlineData("", false)]
    public void TryParse_OnlyNames(string name, bool known)
    {
        Assert.Equal(known, KvCodecs.TryParse(name, out var codec));
        Assert.Equal(known, codec.Name() == name);
    }

    private static KvPage Fill(KvLayout layout, int tokens, int seed)
    {
        var page = KvPage.Create(layout, 0, tokens, reservation: null);
        var values = MemoryMarshal.Cast<byte, float>(page.Span);
        new Random(seed).NextBytes(page.Span);
        for (var index = 0; index < values.Length; index += 7)
        {
            values[index] = Special[index / 7 % Special.Length];
        }

        return page;
    }

    // libtorch's NaN has bits of its own: only that it is none is compared.
    private static byte[] Rounded(KvPage page)
    {
        using var values = NativeTensor.Wrap(page.Data);
        using var half = values.to(ScalarType.BFloat16);
        using var single = half.to(ScalarType.Float32);
        var bytes = NativeTensor.ToBytes(single);
        foreach (ref var value in MemoryMarshal.Cast<byte, float>(bytes.AsSpan()))
        {
            value = float.IsNaN(value) ? BitConverter.UInt32BitsToSingle(0x7fc00000) : value;
        }

        return bytes;
    }
}
