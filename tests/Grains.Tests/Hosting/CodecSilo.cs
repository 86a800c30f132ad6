using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo that serves the sample model in float32, and stores and holds its KV as bfloat16.</summary>
public sealed class CodecSilo : OneSilo
{
    private readonly IObjectStore? _store;

    public CodecSilo()
    {
    }

    /// <param name="store">A store that has such a silo already.</param>
    internal CodecSilo(IObjectStore store) => _store = store;

    public override IObjectStore Store => _store ?? base.Store;

    protected override string Codec => "bfloat16";
}
