using System.Reflection;

namespace Granary.Grains.Tests.Residency;

/// <summary>An activation of which only the end is known: what the registry asks of a lease's owner.</summary>
public class Activation : DispatchProxy
{
    private readonly TaskCompletionSource _deactivated = new();

    /// <summary>Makes one that lives.</summary>
    public static (IGrainContext Context, Activation End) Start()
    {
        var context = Create<IGrainContext, Activation>();
        return (context, (Activation)(object)context);
    }

    public void Deactivate() => _deactivated.SetResult();

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod?.Name == "get_" + nameof(IGrainContext.Deactivated)
        ? _deactivated.Task
        : throw new NotSupportedException($"{targetMethod?.Name} is not known of a lease's owner.");
}
