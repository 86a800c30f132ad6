using System.Reflection;

namespace Granary.Client.Tests.Calls;

/// <summary>Grains of which there is one only, a fake, whatever is asked for.</summary>
public class OneGrain : DispatchProxy
{
    private IGrain? _grain;

    /// <summary>Makes a factory that gives it.</summary>
    /// <param name="grain">The grain.</param>
    /// <returns>The factory.</returns>
    public static IGrainFactory FactoryOf(IGrain grain)
    {
        var factory = Create<IGrainFactory, OneGrain>();
        ((OneGrain)factory)._grain = grain;
        return factory;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _grain;
}
