using System.Text.Json;
using Granary.Storage.Errors;
using Granary.Storage.Export;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Tests.Chunks;
using Granary.Storage.Tests.Maintenance;
using Granary.Testing;
using Granary.Testing.Processes;

namespace Granary.Storage.Tests.Export;

/// <summary>Exports of contexts of pages of 8 tokens, read back by Python's standard library as docs/formats.md says.</summary>
public sealed class ContextExporterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("granary-export-").FullName;
    private readonly FolderObjectStore _objects;
    private readonly StoredContexts _contexts;
    private readonly ContextExporter _exporter;

    public ContextExporterTests()
    {
        _objects = new FolderObjectStore(Path.Combine(_folder, "store"), TimeProvider.System);
        _contexts = new StoredContexts(_objects, TimeProvider.System);
        _exporter = new ContextExporter(_objects, TimeProvider.System);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private string Target => Path.Combine(_folder, "out.safetensors");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(27)]
    public async Task ExportAsync_ReadByPython_HasEveryByteOfEveryChunkInItsPlace(int tokens)
    {
        int[] ids = [.. Enumerable.Range(7, tokens)];
        await _contexts.CreateAsync("c", ids, Stopping);
        var told = new List<(int, int)>();

        var exported = await _exporter.ExportAsync(StoredContexts.Tenant, StoredContexts.Model, "c", Target, (done, total) => told.Add((done, total)), Stopping);

        Assert.Equal((1L, Pages.Numerics, "float32", tokens), (exported.Version, exported.Numerics, exported.Dtype, exported.Tokens));
        Assert.Equal(new FileInfo(Target).Length, exported.Bytes);
        Assert.Equal((tokens, tokens), told[^1]);
        var pages = await _contexts.PagesAsync(ids, Stopping);
        var whole = await ReadByPythonAsync(Target);
        var chunks = new List<Dictionary<string, Tensor>>();
        foreach (var page in pages)
        {
            chunks.Add(await ReadByPythonAsync(Path.Combine(_folder, "store", page.Key)));
        }

        var shape = Pages.Shape;
        var rowBytes = shape.HeadDim * sizeof(float);
        Assert.Equal((2 * shape.Layers) + 1, whole.Count);
        for (var tensor = 0; tensor < 2 * shape.Layers; tensor++)
        {
            var name = $"layers.{tensor / 2}.{(tensor % 2 == 0 ? "key" : "value")}";
            Assert.Equal(("F32", $"1,{shape.KvHeads},{tokens},{shape.HeadDim}"), (whole[name].Dtype, whole[name].Shape));
            for (var head = 0; head < shape.KvHeads; head++)
            {
                var expected = new List<byte>();
                foreach (var (page, chunk) in pages.Zip(chunks))
                {
                    var kv = Pages.Kv(page, seed: page.Start);
                    var stretch = kv.AsSpan(((tensor * shape.KvHeads) + head) * page.Count * rowBytes, page.Count * rowBytes).ToArray();
                    Assert.Equal(stretch, chunk[name].Bytes.AsSpan(head * page.Count * rowBytes, page.Count * rowBytes).ToArray());
                    expected.AddRange(stretch);
                }

                Assert.Equal(expected, whole[name].Bytes.AsSpan(head * tokens * rowBytes, tokens * rowBytes).ToArray());
            }
        }

        Assert.Equal(("I32", $"{tokens}"), (whole["tokens"].Dtype, whole["tokens"].Shape));
        Assert.Equal(ids.SelectMany(BitConverter.GetBytes), whole["tokens"].Bytes);
    }

    [Fact]
    public async Task ExportAsync_NoSuchContext_SaysSo()
    {
        await _contexts.CreateAsync("gone", [1, 2, 3], Stopping);
        await _contexts.DeleteAsync("gone", Stopping);
        await _contexts.CreateAsync("expired", [1, 2, 3], Stopping, TimeSpan.FromTicks(1));
        foreach (var name in (string[])["never", "gone", "expired"])
        {
            Assert.Equal("ContextNotFound", (await RefusedAsync(name)).Code);
        }
    }

    [Theory]
    [InlineData(0, "it is not in the store")]
    [InlineData(1, "it is not in the store")]
    [InlineData(0, "it is damaged (checksum)")]
    [InlineData(1, "it is damaged (checksum)")]
    public async Task ExportAsync_APageIsMissingOrDamaged_NamesIt(int page, string why)
    {
        int[] ids = [.. Enumerable.Range(7, 20)];
        await _contexts.CreateAsync("c", ids, Stopping);
        var chunk = (await _contexts.PagesAsync(ids, Stopping))[page];
        if (why.Contains("damaged", StringComparison.Ordinal))
        {
            var content = (await _objects.FindAsync(chunk.Key, Stopping))!.Content;
            content[^(sizeof(int) * chunk.Count + 1)] ^= 1; // the last byte of the KV
            await _objects.PutAsync(chunk.Key, new(content), Precondition.None, Stopping);
        }
        else
        {
            await _objects.DeleteAsync(chunk.Key, Precondition.None, Stopping);
        }

        var refused = await RefusedAsync("c");

        Assert.Equal(("FileNotFound", $"The page of 'c' at token {chunk.Start} cannot be exported: {why}."), (refused.Code, refused.Message));
        Assert.Contains("granary context ask c --model tiny", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ExportAsync_NothingIsStoredYet_SaysSo()
    {
        var stored = await _contexts.CreateAsync("c", [1, 2, 3], Stopping);
        await _contexts.Manifests.CommitAsync(stored.Manifest with { Version = 2, Chunks = new Dictionary<string, ManifestChunk[]>() }, stored, Stopping);

        Assert.Contains("none of its pages is stored", (await RefusedAsync("c")).Message, StringComparison.Ordinal);
    }

    private Task<StorageException> RefusedAsync(string name) => Assert.ThrowsAsync<StorageException>(
        () => _exporter.ExportAsync(StoredContexts.Tenant, StoredContexts.Model, name, Target, static (_, _) => { }, Stopping));

    // The first block of the page is run as it stands.
    private async Task<Dictionary<string, Tensor>> ReadByPythonAsync(string path)
    {
        Needs.Python();
        var page = await File.ReadAllTextAsync(Repository.GetPath("docs/formats.md"), Stopping);
        var block = page.Split("```python\n")[1].Split("```")[0];
        var script = Path.Combine(_folder, "read.py");
        await File.WriteAllTextAsync(
            script,
            block + "\nimport base64, sys\nprint(json.dumps({n: [d, \",\".join(map(str, s)), base64.b64encode(b).decode()] for n, (d, s, b) in read(sys.argv[1]).items()}))\n",
            Stopping);
        await using var python = ChildProcess.Start("python3", [script, path]);
        var exitCode = await python.WaitForExitAsync(cancellationToken: Stopping);
        Assert.True(exitCode == 0, string.Join('\n', python.Errors));
        var read = JsonSerializer.Deserialize<Dictionary<string, string[]>>(Assert.Single(python.Output))!;
        return read.ToDictionary(static entry => entry.Key, static entry => new Tensor(entry.Value[0], entry.Value[1], Convert.FromBase64String(entry.Value[2])));
    }

    private sealed record Tensor(string Dtype, string Shape, byte[] Bytes);
}
