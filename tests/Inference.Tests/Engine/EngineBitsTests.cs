using System.Security.Cryptography;
using System.Text;
using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.HistoryIndependence;
using Granary.Inference.Tests.Kernels;

namespace Granary.Inference.Tests.Engine;

/// <summary>The bits of our kernels' results are those that stored KV was made with: whoever changes them raises the engine version of the numerics id.</summary>
public sealed class EngineBitsTests
{
    // From this library itself, on the sample model: KV and log-probabilities of page, panels, rows and answer. The rotary table is libtorch's, by its digest.
    private static readonly Dictionary<(string Engine, string Rotary, int Lanes, KvDtype Dtype), string> Known = new()
    {
        [("5", "cbe6678579d9e8c9", 4, KvDtype.Float32)] = "53e8e5daf99b14a247c9616c00420913",
        [("5", "7aa9ca1b0267b10e", 4, KvDtype.BFloat16)] = "57c0a481b061e8fec0a06ae21dc424b7",
        [("5", "cbe6678579d9e8c9", 8, KvDtype.Float32)] = "f42de61a715d96ee640861bdf0b7cca4",
        [("5", "7aa9ca1b0267b10e", 8, KvDtype.BFloat16)] = "7b5024e11a57678fc6e96faffdaba4cd",
        [("5", "cbe6678579d9e8c9", 16, KvDtype.Float32)] = "ad1af4aaee1134edd4984e6e0ac9779a",
        [("5", "7aa9ca1b0267b10e", 16, KvDtype.BFloat16)] = "a7c32cc5322aff418e8580b6a2897b35",
    };

    public static TheoryData<string, int> Sets() => KernelSets.OfModels();

    [Theory, MemberData(nameof(Sets))]
    public async Task Bits_OfTheSampleModel_AreThoseOfTheEngineVersion(string set, int bytes)
    {
        var dtype = bytes == sizeof(float) ? KvDtype.Float32 : KvDtype.BFloat16;
        using var scratch = new ScratchFolder();
        await using var engine = HistoryModels.NewEngine(threads: 1);
        var model = await engine.LoadAsync(
            Path.Combine(AppContext.BaseDirectory, "Models", HistoryModels.Sample),
            HistoryModels.Sample,
            new ModelLoadOptions(dtype, Fingerprints: new FingerprintCache(scratch.Path)) { Kernels = KernelSets.Both(set) });
        var key = (model.Numerics.Parts["engine"], model.Numerics.Parts["rotary"], KernelSets.Lanes(set), dtype);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tokens in (int[])[300, 270]) // a last page of 44 in panels, of 14 in rows
        {
            using var context = await ContextRun.PrefillAsync(model, ContextCase.Ids(tokens, tokens, model.Config.VocabularySize));
            foreach (var page in context.Bytes())
            {
                hash.AppendData(page);
            }

            hash.AppendData(Encoding.UTF8.GetBytes(AnswerBits.Of(await context.AskAsync([1, 2, 3], ExactnessTests.Options(20)))));
        }

        var digest = Convert.ToHexStringLower(hash.GetHashAndReset())[..32];
        Assert.True(
            Known.GetValueOrDefault(key) == digest,
            $"The bits of {key} are {digest}, not {Known.GetValueOrDefault(key, "known")}. Stored KV has others: where that is meant, raise NumericsId's engine version and enter the digests here. Where only libtorch makes another rotary table on this machine, enter its digests beside the others.");
    }
}
