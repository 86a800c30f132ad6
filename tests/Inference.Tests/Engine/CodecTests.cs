using System.Runtime.InteropServices;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Checkpoints;

namespace Granary.Inference.Tests.Engine;

/// <summary>A codec takes each page once it is computed, and before the next one reads it.</summary>
[Collection("Engine")]
public sealed class CodecTests(EngineFixture engine) : IDisposable
{
    private const string Model = "quarter-rotary";
    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Prefill_CodecBFloat16_RoundsEachPageBeforeTheNextReadsIt()
    {
        var ids = Enumerable.Range(0, 520).Select(static index => index * 13 % 125).ToArray();
        using var plain = await ContextRun.PrefillAsync(await LoadAsync(KvCodec.None), ids);
        using var coded = await ContextRun.PrefillAsync(await LoadAsync(KvCodec.BFloat16), ids);

        Assert.Equal(Round(plain.Pages[0]), Values(coded.Pages[0])); // within a page nothing is rounded before its end
        foreach (var page in (int[])[1, 2])
        {
            Assert.NotEqual(Round(plain.Pages[page]), Values(coded.Pages[page]));
            Assert.Equal(Round(coded.Pages[page]), Values(coded.Pages[page]));
        }

        Assert.Equal(plain.Pages.Sum(static page => page.Bytes), coded.Pages.Sum(static page => page.Bytes));
        Assert.Equal(plain.Pages.Sum(static page => page.StoredBytes), 2 * coded.Pages.Sum(static page => page.StoredBytes));
    }

    [Fact]
    public async Task Load_CodecBFloat16_IsAPartOfTheNumericsId()
    {
        var (plain, coded) = (await LoadAsync(KvCodec.None), await LoadAsync(KvCodec.BFloat16));

        Assert.Equal(("none", "bfloat16"), (plain.Numerics.Parts["codec"], coded.Numerics.Parts["codec"]));
        Assert.NotEqual(plain.Numerics.Id, coded.Numerics.Id);
    }

    [Theory]
    [InlineData(KvDtype.BFloat16)]
    [InlineData(KvDtype.Float64)]
    public async Task Load_CodecOfAnotherDtype_IsRefused(KvDtype dtype)
    {
        var refused = await Assert.ThrowsAsync<InferenceException>(() => LoadAsync(KvCodec.BFloat16, dtype));

        Assert.Equal("InvalidArgument", refused.Code);
        Assert.Contains(dtype.Name(), refused.Message, StringComparison.Ordinal);
    }

    private Task<LoadedModel> LoadAsync(KvCodec codec, KvDtype dtype = KvDtype.Float32) => engine.Engine.LoadAsync(
        EngineFixture.Golden("models/" + Model),
        $"{Model}-{codec}",
        new ModelLoadOptions(dtype, Fingerprints: new FingerprintCache(_scratch.File("fingerprints"))) { Codec = codec },
        TestContext.Current.CancellationToken);

    private static float[] Values(KvPage page) => MemoryMarshal.Cast<byte, float>(page.Span).ToArray();

    private static float[] Round(KvPage page) => Array.ConvertAll(Values(page), static value =>
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    });
}
