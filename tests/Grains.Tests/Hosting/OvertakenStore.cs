using System.Buffers;
using Granary.Storage.Objects;
using Granary.Testing.Stores;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A store in which something else happens just before the next write of a key.</summary>
internal sealed class OvertakenStore(IObjectStore inner) : DelegatingStore(inner)
{
    private (string Prefix, Func<Task> Act)? _next;

    public void Overtake(string prefix, Func<Task> act) => _next = (prefix, act);

    public override async Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken)
    {
        if (_next is { } next && key.StartsWith(next.Prefix, StringComparison.Ordinal))
        {
            _next = null;
            await next.Act();
        }

        return await base.PutAsync(key, content, precondition, cancellationToken);
    }
}
