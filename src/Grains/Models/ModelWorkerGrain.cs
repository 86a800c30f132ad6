using Granary.Errors;
using Granary.Grains.Placement;
using Granary.Grains.Residency;
using Granary.Models;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Granary.Grains.Models;

/// <summary>The façade of this silo's engine for one model. It calls no grain (invariant 6) and never waits for the engine (invariant 8).</summary>
[SiloPinned, KeepAlive, Immovable, Reentrant]
internal sealed class ModelWorkerGrain(SiloModels models, KvRegistry registry) : Grain, IModelWorkerGrain
{
    private ServedModel? _model;

    private ServedModel Model => _model ??= models.Get(WorkerId.Parse(this.GetPrimaryKeyString()).Model);

    /// <inheritdoc/>
    public ValueTask<ModelDescription> DescribeAsync() =>
        ValueTask.FromResult(ServedModel.Describe(Model.Spec) with { Numerics = Model.Numerics, Exact = Model.IsExact });

    /// <inheritdoc/>
    public async ValueTask<int[]> TokenizeAsync(string text)
    {
        var tokenizer = Model.Loaded.Tokenizer ?? throw new GranaryException(
            ErrorCodes.TokenizerMissing,
            $"Model '{Model.Id}' has no tokenizer.json, so it cannot read text.",
            "Give token ids, or put the tokenizer's file into the checkpoint's folder.");

        // A word of 100,000 letters takes a second (2 cores, 2026-11-23): too long for a turn.
        return await Task.Run(() => tokenizer.Encode(text));
    }

    /// <inheritdoc/>
    public ValueTask StartAsync(LeaseId work)
    {
        registry.Get(work).Start(Model.Loaded);
        return ValueTask.CompletedTask;
    }
}
