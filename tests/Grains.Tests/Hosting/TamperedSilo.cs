using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Testing;
using Granary.Testing.Servers;

namespace Granary.Grains.Tests.Hosting;

/// <summary>A silo on a store that tests write to behind its back.</summary>
public abstract class TamperedSilo : OneSilo
{
    // A context of a few pages already keeps its ids in a blob.
    protected override int MostInlineTokenIds => 256;

    /// <summary>Skips the test where its store is missing.</summary>
    public virtual void Require()
    {
    }

    /// <summary>Lists the keys of the tenant's token blobs.</summary>
    public async Task<HashSet<string>> BlobKeysAsync() =>
        await Store.ListAsync("tokens/default/", TestContext.Current.CancellationToken).Select(static blob => blob.Key).ToHashSetAsync(StringComparer.Ordinal, TestContext.Current.CancellationToken);

    /// <summary>Lists the keys of a context's chunks, in order.</summary>
    public async Task<string[]> ChunkKeysAsync(string context)
    {
        var manifest = (await new ManifestStore(Store).FindAsync("default", Model, context, TestContext.Current.CancellationToken))!.Manifest;
        var all = await Store.ListAsync("chunks/default/", TestContext.Current.CancellationToken).Select(static chunk => chunk.Key).ToListAsync(TestContext.Current.CancellationToken);
        return [.. manifest.Chunks.Values.Single().Select(chunk => all.Single(key => key.EndsWith($"/{chunk.Hash}.safetensors", StringComparison.Ordinal)))];
    }
}

/// <summary>A silo on a folder.</summary>
public sealed class FolderSilo : TamperedSilo
{
    private readonly string _folder = Directory.CreateTempSubdirectory("granary-tamper-").FullName;

    public FolderSilo() => Store = new FolderObjectStore(_folder, TimeProvider.System);

    public override IObjectStore Store { get; }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A silo on Azurite.</summary>
public sealed class AzuriteSilo : TamperedSilo
{
    private readonly AzuriteServer _server = new();
    private IObjectStore? _store;

    public override IObjectStore Store => _store ?? base.Store;

    public override void Require() => Needs.Azurite();

    public override async ValueTask InitializeAsync()
    {
        if (AzuriteServer.FindExecutable() is not null)
        {
            await _server.InitializeAsync();
            _store = ObjectStores.Open(_server.ConnectionString + "Container=tamper", TimeProvider.System);
        }

        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _server.DisposeAsync();
    }
}
