using Granary.Grains.Draining;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    // What a drain of this silo waits for: streams that are open, and creations and growth, which may outlive their callers.
    private readonly ActivationWork _work = drain.Register(activation, isContext: true);

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        // A silo that has called this context before sends the next call where it was, past placement: it is sent on from here.
        _work.EndIfDraining();
        return base.OnActivateAsync(cancellationToken);
    }
}
