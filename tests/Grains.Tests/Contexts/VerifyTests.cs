using System.Buffers;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Models;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Storage.Specs;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Verify: what is stored is what a fresh prefill gives, or the report says where it is not. Nothing is changed.</summary>
[Collection("Engine")]
[Trait("Invariant", "1")]
public sealed class VerifyTests(VerifyTests.ServicedSilo silo) : IClassFixture<VerifyTests.ServicedSilo>
{
    private const int Tokens = 600; // three pages

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task VerifyAsync_WhatWasStored_IsEqualAndNothingIsLeftBehind()
    {
        var context = silo.Context("right");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 1)));
        await context.EvictAsync();
        var (used, objects) = (silo.Registry.Budget.UsedBytes, await VersionsAsync());

        var steps = await context.VerifyAsync(Stopping).ToListAsync(Stopping);
        var report = steps[^1].Result!;

        Assert.Equal((true, 3, 3, 16, true), (report.Equal, report.Pages, report.EqualPages, report.ProbeTokens, report.ProbeEqual!.Value));
        Assert.Equal((true, 0.0), (report.Exact, report.Tolerance));
        Assert.Empty(report.Faults);
        Assert.All(steps.Zip(steps.Skip(1)), static pair => Assert.True(pair.First.DoneTokens <= pair.Second.DoneTokens));
        Assert.Equal(2 * Tokens, steps[^1].TotalTokens);
        Assert.Equal((used, objects), (silo.Registry.Budget.UsedBytes, await VersionsAsync()));
        Assert.False((await context.GetAsync()).Resident);
    }

    [Fact]
    public async Task VerifyAsync_ResidentButAChunkIsBadAndOneIsMissing_NamesBothAndRepairsNone()
    {
        var context = silo.Context("damaged");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 2)));
        var keys = await ChunkKeysAsync("damaged");
        var content = (await silo.Store.FindAsync(keys[1], Stopping))!.Content;
        content[content.Length / 2] ^= 1;
        await silo.Store.PutAsync(keys[1], new ReadOnlySequence<byte>(content), Precondition.None, Stopping);
        await silo.Store.DeleteAsync(keys[2], Precondition.None, Stopping);
        var objects = await VersionsAsync();

        var report = await VerifyAsync(context);

        Assert.Equal((false, 1, 0, null), (report.Equal, report.EqualPages, report.ProbeTokens, report.ProbeEqual));
        Assert.Equal([new VerifiedPage(1, 256, 256, "checksum"), new VerifiedPage(2, 512, 88, "absent")], report.Faults);
        Assert.Equal(objects, await VersionsAsync());
        Assert.True((await context.GetAsync()).Resident);
    }

    [Fact]
    public async Task VerifyAsync_OneValueDiffersUnderARightChecksum_SaysWhichAndHowMuch()
    {
        var context = silo.Context("differing");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(Tokens, 3)));
        await context.EvictAsync();
        await ForgeAsync("differing", page: 1);

        var report = await VerifyAsync(context);

        var fault = Assert.Single(report.Faults);
        Assert.Equal((1, 256, "differs", false), (fault.Page, fault.Start, fault.Fault, report.Equal));
        var layout = silo.Get<SiloModels>().Get(OneSilo.Model).Loaded.Layout;
        var difference = fault.Difference!;
        Assert.Equal((1L, layout.Layers - 1, "value", layout.KvHeads - 1, 511, layout.HeadDim - 1), (difference.Values, difference.Layer, difference.Kind, difference.Head, difference.Position, difference.Channel));
        Assert.True(difference.Largest > 0);
        Assert.Equal(16, report.ProbeTokens);
    }

    [Fact]
    public async Task VerifyAsync_NoRoomInTheWindow_ComparesPagesOnly()
    {
        var window = silo.Get<SiloModels>().Get(OneSilo.Model).Loaded.Config.Window;
        await OneSilo.CreateAsync(silo.Context("full"), TokenInput.OfTokens(OneSilo.Ids(window, 4)));
        var report = await VerifyAsync(silo.Context("full"));
        Assert.Equal((true, 0, null), (report.Equal, report.ProbeTokens, report.ProbeEqual));
    }

    [Fact]
    public async Task VerifyAsync_NoSuchContext_IsNotFound() =>
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => VerifyAsync(silo.Context("nobody")))).Code);

    [Fact, Trait("Invariant", "10")]
    public async Task VerifyAsync_CallerLeaves_GivesItsBytesBack()
    {
        var context = silo.Context("left");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(1800, 5)));
        var used = silo.Registry.Budget.UsedBytes;
        await foreach (var step in context.VerifyAsync(Stopping))
        {
            break;
        }

        await Wait.UntilAsync(() => silo.Registry.Budget.UsedBytes == used, "a verification that was left holds bytes");
    }

    private static async Task<ContextVerified> VerifyAsync(IContextGrain context) => (await context.VerifyAsync(Stopping).LastAsync(Stopping)).Result!;

    private async Task<string> VersionsAsync() => string.Join(' ', await silo.Store.ListAsync("", Stopping).Select(static info => $"{info.Key}@{info.Version}").ToListAsync(Stopping));

    private async Task<List<string>> ChunkKeysAsync(string name)
    {
        var manifest = (await new ManifestStore(silo.Store).FindAsync("default", OneSilo.Model, name, Stopping))!.Manifest;
        var all = await silo.Store.ListAsync("chunks/", Stopping).Select(static info => info.Key).ToListAsync(Stopping);
        return [.. manifest.Chunks.Values.Single().Select(chunk => all.Single(key => key.Contains(chunk.Hash, StringComparison.Ordinal)))];
    }

    // A chunk whose every check is right, and whose last value is another: only a prefill can tell.
    private async Task ForgeAsync(string name, int page)
    {
        var manifests = new ManifestStore(silo.Store);
        var stored = (await manifests.FindAsync("default", OneSilo.Model, name, Stopping))!;
        var model = silo.Get<SiloModels>().Get(OneSilo.Model);
        var chain = model.ChainOf(await silo.Get<TenantStore>().GetSaltAsync("default", Stopping), "default", stored.Manifest.TokenIds);
        var chunk = chain[page];
        var data = new byte[model.Loaded.Layout.StoredBytesOf(chunk.Count)];
        var chunks = silo.Get<ChunkStore>();
        var read = await chunks.ReadAsync(chunk, null, data, Stopping);
        Assert.Null(read.Fault);
        data[^2] ^= 1;
        var write = await chunks.RepairAsync(chunk, data, read.Version!, Stopping);
        var own = stored.Manifest.Chunks[model.Numerics].ToArray();
        own[page] = own[page] with { Checksum = write.Checksum };
        await manifests.CommitAsync(stored.Manifest with { Chunks = new Dictionary<string, ManifestChunk[]> { [model.Numerics] = own } }, stored, Stopping);
    }

    /// <summary>A silo whose services tests use.</summary>
    public sealed class ServicedSilo : OneSilo
    {
        internal T Get<T>()
            where T : notnull => Service<T>();
    }
}
