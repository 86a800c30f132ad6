using System.Collections.Concurrent;
using System.Globalization;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Grains.Hosting;
using Granary.Grains.Planning;
using Granary.Grains.Residency;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Naming;
using Granary.Storage.Specs;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Models;

/// <summary>The models that this silo has loaded.</summary>
public sealed partial class SiloModels
{
    private readonly ConcurrentDictionary<string, ServedModel> _served = [];
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly DeviceEngine _engine;
    private readonly ModelSpecStore _specs;
    private readonly ModelLoadOptions _defaults;
    private readonly KvRegistry _registry;
    private readonly PrefixPlanner _planner;
    private readonly ILogger<SiloModels> _logger;

    /// <summary>Creates an empty set.</summary>
    /// <param name="engine">The device's engine.</param>
    /// <param name="specs">What model ids name in the store.</param>
    /// <param name="defaults">How models are loaded; each has a dtype of its own.</param>
    /// <param name="registry">Sets aside what a model's pages are encoded into.</param>
    /// <param name="planner">Learns how fast store and engine are.</param>
    /// <param name="logger">The log.</param>
    internal SiloModels(DeviceEngine engine, ModelSpecStore specs, ModelLoadOptions defaults, KvRegistry registry, PrefixPlanner planner, ILogger<SiloModels> logger)
    {
        _engine = engine;
        _specs = specs;
        _defaults = defaults;
        _registry = registry;
        _planner = planner;
        _logger = logger;
    }

    /// <summary>Raised when another model is served.</summary>
    internal event Action? Changed;

    /// <summary>Gets the ids of the models that are served, ordered.</summary>
    public IReadOnlyList<string> Ids => [.. _served.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Gets the models that are served, ordered by id.</summary>
    internal IReadOnlyList<ServedModel> Served => [.. _served.Values.OrderBy(static model => model.Id, StringComparer.Ordinal)];

    /// <summary>Loads a model and enters what its id names into the store.</summary>
    /// <param name="modelId">The id.</param>
    /// <param name="model">Its folder, dtype and codec.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>A task that ends when the model is served.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: there is no such dtype or codec, or the codec is not for that dtype. <see cref="ErrorCodes.ModelSpecConflict"/>: the store knows the id with another content; choose another id.</exception>
    public async Task LoadAsync(string modelId, ModelOptions model, CancellationToken cancellationToken)
    {
        Names.CheckModel(modelId);
        if (!KvDtypes.TryParse(model.Dtype, out var dtype))
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{model.Dtype}' is not a dtype.", "Use float32, bfloat16 or float64.");
        }

        if (!KvCodecs.TryParse(model.Codec, out var codec))
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{model.Codec}' is not a codec.", "Use none or, with float32, bfloat16.");
        }

        await _loading.WaitAsync(cancellationToken);
        try
        {
            if (_served.ContainsKey(modelId))
            {
                return;
            }

            var loaded = await _engine.LoadAsync(model.Path, modelId, _defaults with { Dtype = dtype, Codec = codec }, cancellationToken);
            _served[modelId] = await EnterAsync(loaded, modelId, cancellationToken);
            Changed?.Invoke();
            if (!loaded.Numerics.Exact)
            {
                Log.Inexact(_logger, modelId, loaded.Numerics.Id);
            }

            Log.Loaded(_logger, modelId, loaded.WeightBytes, loaded.LoadTime.TotalSeconds, DescribeSelfTest(loaded.SelfTestTime), loaded.Numerics.Id);
        }
        catch (Exception e) when (ErrorEdge.IsForeign(e))
        {
            throw ErrorEdge.Translate(e);
        }
        finally
        {
            _loading.Release();
        }
    }

    // A model that is not served in the end is not kept.
    private async Task<ServedModel> EnterAsync(LoadedModel loaded, string modelId, CancellationToken cancellationToken)
    {
        try
        {
            var spec = new ModelSpec
            {
                Model = modelId,
                Fingerprint = loaded.Fingerprint,
                TokenizerDigest = loaded.Tokenizer?.Digest,
                Dtype = loaded.Layout.Dtype.Name(),
                Codec = loaded.Layout.Codec.Name(),
                PageSize = loaded.Layout.PageSize,
                Window = loaded.Config.Window,
                KvBytesPerToken = loaded.Layout.BytesPerToken,
            };
            await _specs.EnsureAsync(spec, cancellationToken);
            _registry.ReserveStaging(loaded.Layout);
            var model = new ServedModel(loaded, spec);
            _ = _planner.ProbeStore();
            await _planner.ProbePrefillAsync(model, cancellationToken);
            return model;
        }
        catch
        {
            await loaded.UnloadAsync();
            throw;
        }
    }

    /// <summary>Finds a model.</summary>
    internal ServedModel Get(string modelId) => _served.GetValueOrDefault(modelId) ?? throw new GranaryException(
        ErrorCodes.NoWorker,
        $"This silo does not serve model '{modelId}', it serves {(_served.IsEmpty ? "none" : string.Join(", ", Ids))}.",
        "Name the model in Granary:Models, or give its folder.");

    private static string DescribeSelfTest(TimeSpan? took) =>
        took is { } time ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F2} s of these") : "not run, its verdict is kept from an earlier load";

    private static partial class Log
    {
        [LoggerMessage(EventIds.ModelLoaded, LogLevel.Information, "Model {Model} is served: {Bytes} bytes of weights, loaded in {Seconds:F2} s, self-test {SelfTest}, numerics {Numerics}")]
        public static partial void Loaded(ILogger logger, string model, long bytes, double seconds, string selfTest, string numerics);

        [LoggerMessage(
            EventIds.ModelInexact,
            LogLevel.Warning,
            "Model {Model} is served inexactly, numerics {Numerics}: its self-test failed on this machine, so the last bits of an answer may depend on what runs beside it, and no KV is shared with silos where it passed. Report it with the output of `granary model info`; delete the files self-test-* of $XDG_CACHE_HOME/granary (by default ~/.cache/granary) to have it tested again")]
        public static partial void Inexact(ILogger logger, string model, string numerics);
    }
}
