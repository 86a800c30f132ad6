using Granary.Grains.Models;
using Granary.Grains.Planning;
using Granary.Inference.Engine;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Hosting;

/// <summary>Loads the configured models before the silo joins the cluster; stops the device thread after its grains (invariant 7).</summary>
internal sealed class EngineLifecycle(SiloModels models, DeviceEngine engine, PrefixPlanner planner, IOptions<ModelsOptions> options) : ILifecycleParticipant<ISiloLifecycle>
{
    /// <inheritdoc/>
    public void Participate(ISiloLifecycle observer) =>
        observer.Subscribe(nameof(EngineLifecycle), ServiceLifecycleStage.ApplicationServices, LoadAsync, StopAsync);

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        foreach (var (id, model) in options.Value.OrderBy(static entry => entry.Key, StringComparer.Ordinal))
        {
            await models.LoadAsync(id, model, cancellationToken);
        }
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await planner.DisposeAsync();
        await engine.DisposeAsync();
    }
}
