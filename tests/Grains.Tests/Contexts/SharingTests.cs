using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;
using Granary.Stores;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Tenants who were asked to share have one salt; all others have nothing in common with them, nor with each other (invariant 12).</summary>
[Collection("Engine")]
[Trait("Invariant", "12")]
public sealed class SharingTests : IAsyncLifetime
{
    private const int Tokens = 300; // two pages

    private readonly InMemoryObjectStore _store = new(TimeProvider.System);
    private readonly SharingSilo _silo;

    public SharingTests() => _silo = new SharingSilo(_store, "acme", "beta");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _silo.InitializeAsync();

    public ValueTask DisposeAsync() => _silo.DisposeAsync();

    [Fact]
    public async Task Create_SameIdsOfTwoTenantsWhoShare_ComputesAndStoresOnce()
    {
        var ids = OneSilo.Ids(Tokens, 31);
        var first = await CreateAsync("acme", ids);
        var second = await CreateAsync("beta", ids);

        Assert.Equal((Tokens, 0), (first.PrefilledTokens, second.PrefilledTokens));
        Assert.Equal(0, second.WrittenBytes);
        Assert.Equal(2, await ChunksAsync("shared"));
        Assert.Equal((0, 0), (await ChunksAsync("acme"), await ChunksAsync("beta")));
    }

    [Fact]
    public async Task Ask_AfterARestart_RestoresWhatAnotherTenantStored()
    {
        var ids = OneSilo.Ids(Tokens, 32);
        await CreateAsync("acme", ids);
        await CreateAsync("beta", ids);
        await _silo.RestartAsync();

        var answer = await AskAsync("beta");

        Assert.Equal((Tokens, 0), (answer.Usage.RestoredTokens, answer.Usage.RecomputedTokens));
        Assert.Equal(0, (await CheckAsync("beta")).FaultCount);
        Assert.Equal(0, (await CheckAsync("shared")).FaultCount);
    }

    [Fact]
    public async Task Create_OfATenantWhoDoesNotShare_ComputesAnew()
    {
        var ids = OneSilo.Ids(Tokens, 33);
        await CreateAsync("acme", ids);
        var other = await CreateAsync("default", ids);

        Assert.Equal(Tokens, other.PrefilledTokens);
        Assert.Equal((2, 2), (await ChunksAsync("shared"), await ChunksAsync("default")));
    }

    [Fact]
    public async Task Generate_OfATenantWhoShares_UsesSharedPages()
    {
        var ids = OneSilo.Ids(Tokens, 34);
        await CreateAsync("acme", ids);
        var nameless = _silo.Grains.GetGrain<IContextGrain>($"beta/{OneSilo.Model}/~{Guid.NewGuid():N}");
        var request = new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = TokenInput.OfTokens([5]), Options = new GenerationOptions { MaxNewTokens = 1 } };

        var answer = await OneSilo.EndAsync(nameless.GenerateAsync(request, Stopping));

        Assert.Equal(Tokens, answer.Usage.ResidentTokens);
    }

    [Fact]
    public async Task Ask_OfAContextMadeBeforeTheTenantShared_KeepsItsOwnChunks()
    {
        var ids = OneSilo.Ids(Tokens, 35);
        await using (var before = new SharingSilo(_store))
        {
            await before.InitializeAsync();
            await OneSilo.CreateAsync(before.Context("doc", "acme"), TokenInput.OfTokens(ids));
        }

        using var failures = new TokenCount("granary.integrity.failures");
        var answer = await AskAsync("acme");
        var again = await CreateAsync("acme", ids);
        await AppendAsync("acme", OneSilo.Ids(20, 36));

        Assert.Equal((Tokens, 0L), (answer.Usage.RestoredTokens, failures.Total));
        Assert.True(again.Existed);
        Assert.Equal(0, await ChunksAsync("shared"));
        Assert.False((await ManifestAsync("acme")).Shared);
    }

    [Fact]
    public async Task Sweep_OfSharedChunks_WaitsForTheLastTenantWhoNamesThem()
    {
        var ids = OneSilo.Ids(Tokens, 37);
        await CreateAsync("acme", ids);
        await CreateAsync("beta", ids);
        await _silo.Context("doc", "acme").DeleteAsync();

        Assert.Equal((0, 0), await SweepAsync("acme"));
        Assert.Equal((2, 0), await SweepAsync("shared"));
        Assert.Equal((0, 0), await SweepAsync("beta"));
        Assert.Equal(2, await ChunksAsync("shared"));
        await _silo.Context("doc", "beta").DeleteAsync();
        Assert.Equal((2, 2), await SweepAsync("shared"));

        Assert.Equal(0, await ChunksAsync("shared"));
    }

    [Fact]
    public async Task Sweep_OfSharedChunks_DeletesNothingWhileAnyTenantsManifestIsUnreadable()
    {
        await CreateAsync("acme", OneSilo.Ids(Tokens, 38));
        await _silo.Context("doc", "acme").DeleteAsync();
        await CreateAsync("default", OneSilo.Ids(20, 39));
        var key = $"contexts/default/{OneSilo.Model}/doc.json";
        await _store.PutAsync(key, new System.Buffers.ReadOnlySequence<byte>("{}"u8.ToArray()), Precondition.None, Stopping);

        Assert.Equal((2, 0), await SweepAsync("shared"));
    }

    [Fact]
    public async Task Create_OfATenantNamedShared_IsRefused()
    {
        var fault = await Assert.ThrowsAsync<GranaryException>(() => CreateAsync("shared", OneSilo.Ids(20, 40)));
        Assert.Equal(ErrorCodes.InvalidName, fault.Code);
    }

    [Theory]
    [InlineData("*", true)]
    [InlineData("acme", true)]
    [InlineData("shared", false)]
    [InlineData("../acme", false)]
    public void Validate_Names_RefusesThoseOfNoTenant(string tenant, bool succeeds) =>
        Assert.Equal(succeeds, new SharingOptionsValidator().Validate(null, new SharingOptions { Tenants = [tenant] }).Succeeded);

    [Fact]
    public void ChunkTenantOf_AllTenants_IsShared()
    {
        Assert.Equal("shared", new SharingOptions { Tenants = ["*"] }.ChunkTenantOf("anyone"));
        Assert.Equal("anyone", new SharingOptions().ChunkTenantOf("anyone"));
        Assert.Equal(Granary.Naming.Names.SharedTenant, ChunkIdentity.SharedTenant); // the command's name for it is the store's
    }

    private Task<ContextCreated> CreateAsync(string tenant, int[] ids) => OneSilo.CreateAsync(_silo.Context("doc", tenant), TokenInput.OfTokens(ids));

    private Task<Answer> AskAsync(string tenant) => OneSilo.EndAsync(_silo.Context("doc", tenant).AskAsync(
        new AskRequest { Prompt = TokenInput.OfTokens([5]), Options = new GenerationOptions { MaxNewTokens = 1 } }, Stopping));

    private async Task AppendAsync(string tenant, int[] ids)
    {
        await foreach (var _ in _silo.Context("doc", tenant).AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(ids) }, Stopping))
        {
        }
    }

    private async Task<ContextManifest> ManifestAsync(string tenant) => (await new ManifestStore(_store).FindAsync(tenant, OneSilo.Model, "doc", Stopping))!.Manifest;

    private async Task<int> ChunksAsync(string owner) => await _store.ListAsync($"chunks/{owner}/", Stopping).CountAsync(Stopping);

    private async Task<(int Chunks, int Deleted)> SweepAsync(string owner)
    {
        var request = new StoreSweepRequest(DryRun: false, TimeSpan.Zero);
        var status = await _silo.Grains.GetGrain<ISweepGrain>(owner).SweepAsync(request, Stopping).LastAsync(Stopping);
        return (status.Result!.Chunks, status.Result.DeletedChunks);
    }

    private async Task<StoreCheckResult> CheckAsync(string owner) =>
        (await _silo.Grains.GetGrain<ISweepGrain>(owner).CheckAsync(repair: false, Stopping).LastAsync(Stopping)).Result!;
}
