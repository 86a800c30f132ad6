namespace Granary.Testing.Proxies;

/// <summary>A fault that the next requests of a kind meet.</summary>
public sealed class ScriptedFault
{
    private readonly Predicate<ProxiedRequest> _isWanted;
    private readonly int _times;

    internal ScriptedFault(Predicate<ProxiedRequest> isWanted, ProxyFault fault, int times) => (_isWanted, Fault, _times) = (isWanted, fault, times);

    /// <summary>Gets how many requests met it.</summary>
    public int Count { get; private set; }

    internal ProxyFault Fault { get; }

    internal bool Takes(ProxiedRequest request)
    {
        if (Count >= _times || !_isWanted(request))
        {
            return false;
        }

        Count++;
        return true;
    }
}
