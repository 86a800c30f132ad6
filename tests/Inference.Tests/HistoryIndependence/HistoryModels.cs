using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.Engine;
using Granary.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>The sample model and random ones of awkward shapes, on an engine of two threads, and what each case answers alone: one request at a time, on fresh pages and one thread.</summary>
public sealed class HistoryModels : IAsyncDisposable
{
    public const string Sample = "ledger-4m";

    private readonly ScratchFolder _scratch = new();
    private readonly DeviceEngine _engine = NewEngine(threads: 2);
    private readonly DeviceEngine _alone = NewEngine(threads: 1);
    private readonly Dictionary<(DeviceEngine Engine, string Name, KvDtype Dtype), LoadedModel> _models = [];
    private readonly Dictionary<(string Name, KvDtype Dtype, ContextCase Case), string> _references = [];

    public static TheoryData<string, KvDtype> All
    {
        get
        {
            var data = new TheoryData<string, KvDtype>();
            foreach (var name in (string[])[Sample, .. Shapes.Keys])
            {
                foreach (var dtype in (KvDtype[])[KvDtype.Float32, KvDtype.BFloat16])
                {
                    // The short form runs each random shape in one dtype.
                    if (LongForm.Wanted || name == Sample || (dtype == KvDtype.BFloat16) == (name == "head-80"))
                    {
                        data.Add(name, dtype);
                    }
                }
            }

            data.Add(Sample, KvDtype.Float64); // libtorch's path
            return data;
        }
    }

    // Head widths that are no multiple of a vector's lanes or fill many, odd vocabularies and feed-forward widths, both residuals, tied and free embeddings.
    private static Dictionary<string, ModelConfig> Shapes { get; } = new()
    {
        ["head-16"] = Shape(heads: 4, headDim: 16, vocabulary: 251) with { ParallelResidual = false, IntermediateSize = 203 },
        ["head-80"] = Shape(heads: 2, headDim: 80, vocabulary: 1003) with { TiedEmbeddings = true },
        ["head-256"] = Shape(heads: 1, headDim: 256, vocabulary: 509) with { AttentionBias = false, Activation = Activation.GeluTanh },
    };

    public static DeviceEngine NewEngine(int threads) => new(new EngineOptions { Threads = threads }, TimeProvider.System, NullLogger.Instance);

    internal static ModelConfig Shape(int heads, int headDim, int vocabulary) => new()
    {
        ModelType = "gpt_neox",
        Layers = 2,
        HiddenSize = heads * headDim,
        Heads = heads,
        KvHeads = heads,
        HeadDim = headDim,
        IntermediateSize = 2 * heads * headDim,
        VocabularySize = vocabulary,
        Window = 2048,
        RotaryDimensions = headDim / 4,
        RotaryBase = 10000,
        LayerNormEpsilon = 1e-5,
        Activation = Activation.Gelu,
        ParallelResidual = true,
        TiedEmbeddings = false,
        AttentionBias = true,
        EosTokenId = 0,
    };

    public Task<LoadedModel> GetAsync(string name, KvDtype dtype) => GetAsync(_engine, name, dtype);

    public Task<LoadedModel> LoadAsync(DeviceEngine engine, string name, KvDtype dtype, int pageSize = KvLayout.DefaultPageSize)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "Models", Sample);
        if (Shapes.TryGetValue(name, out var shape))
        {
            folder = _scratch.File(name);
            if (!Directory.Exists(folder))
            {
                RandomCheckpoint.Create(shape, seed: 1, folder);
            }
        }

        return engine.LoadAsync(folder, name, new ModelLoadOptions(dtype, pageSize, Fingerprints: new FingerprintCache(_scratch.File("fingerprints"))));
    }

    internal async Task<string> ReferenceAsync(string name, KvDtype dtype, ContextCase ask)
    {
        if (!_references.TryGetValue((name, dtype, ask), out var bits))
        {
            bits = await AnswerAsync(await GetAsync(_alone, name, dtype), ask);
            _references[(name, dtype, ask)] = bits;
        }

        return bits;
    }

    /// <summary>Computes the context's pages, asks, and frees them.</summary>
    internal static async Task<string> AnswerAsync(LoadedModel model, ContextCase ask, bool batch = false)
    {
        using var context = await ContextRun.PrefillAsync(model, ask.ContextIds(model.Config.VocabularySize), batch: batch);
        return await AnswerAsync(context, ask, batch);
    }

    /// <summary>Asks on pages that are there.</summary>
    internal static async Task<string> AnswerAsync(ContextRun context, ContextCase ask, bool batch = false) =>
        AnswerBits.Of(await context.AskAsync(ask.PromptIds(context.Model.Config.VocabularySize), ask.OptionsOn(context.Model), batch: batch));

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _alone.DisposeAsync();
        _scratch.Dispose();
    }

    private async Task<LoadedModel> GetAsync(DeviceEngine engine, string name, KvDtype dtype)
    {
        if (!_models.TryGetValue((engine, name, dtype), out var model))
        {
            model = await LoadAsync(engine, name, dtype);
            _models[(engine, name, dtype)] = model;
        }

        return model;
    }
}
