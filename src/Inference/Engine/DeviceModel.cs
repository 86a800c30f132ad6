using Granary.Inference.Models;

namespace Granary.Inference.Engine;

/// <summary>A model on the device and the mapped checkpoint that its weights may lie in: they go together, the model first.</summary>
/// <param name="model">The model; owned.</param>
/// <param name="source">Its checkpoint; owned.</param>
internal sealed class DeviceModel(ICausalModel model, CheckpointSource source) : IDisposable
{
    public ICausalModel Model => model;

    public CheckpointSource Source => source;

    public void Dispose()
    {
        model.Dispose();
        source.Dispose();
    }
}
