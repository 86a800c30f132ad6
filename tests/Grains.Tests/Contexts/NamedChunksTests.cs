using Granary.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Manifests;
using Granary.Stores;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A manifest names what a restore has stored, so that no sweep takes it and no ask computes it twice.</summary>
[Collection("Engine")]
public sealed class NamedChunksTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private const int Tokens = 300;

    private static readonly AskRequest Ask = new() { Prompt = TokenInput.OfTokens(5), Options = new GenerationOptions { MaxNewTokens = 1 } };

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ask_UnderOtherNumerics_NamesItsChunksToo()
    {
        await OneSilo.CreateAsync(silo.Context("both"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 51)));
        await using (var other = new UnsteadySilo(silo.Store))
        {
            await other.InitializeAsync();
            var first = await OneSilo.EndAsync(other.Context("both").AskAsync(Ask, Stopping));
            Assert.Equal(Tokens, first.Usage.RecomputedTokens);
            await Wait.UntilAsync(async () => (await ManifestAsync("both")).Chunks.Count == 2, "The manifest does not name the other numerics id's chunks.");
            await other.RestartAsync();
            await SweepAsync();

            var second = await OneSilo.EndAsync(other.Context("both").AskAsync(Ask, Stopping));
            Assert.Equal((Tokens, 0), (second.Usage.RestoredTokens, second.Usage.RecomputedTokens));
        }

        var manifest = await ManifestAsync("both");
        Assert.Equal(1, manifest.Version); // the same ids: the same version
        Assert.All(manifest.Chunks.Values.SelectMany(static chunks => chunks), static chunk => Assert.NotNull(chunk.Checksum));
        await silo.Context("both").EvictAsync();
        Assert.Equal(Tokens, (await OneSilo.EndAsync(silo.Context("both").AskAsync(Ask, Stopping))).Usage.RestoredTokens);
    }

    [Fact, Trait("Invariant", "2")]
    public async Task Ask_OfACreationThatWasCutOff_StoresIt()
    {
        await OneSilo.CreateAsync(silo.Context("cut"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 52)));
        var stored = (await new ManifestStore(silo.Store).FindAsync("default", OneSilo.Model, "cut", Stopping))!;
        await new ManifestStore(silo.Store).CommitAsync(stored.Manifest with { State = ManifestStates.Accepted }, stored, Stopping);
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();

        await OneSilo.EndAsync(other.Context("cut").AskAsync(Ask, Stopping));

        await Wait.UntilAsync(async () => (await ManifestAsync("cut")).State == ManifestStates.Stored, "The context is not stored.");
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Append_WhileAnotherProcessNamesChunks_Succeeds()
    {
        await OneSilo.CreateAsync(silo.Context("grows"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 53)));
        var manifests = new ManifestStore(silo.Store);
        var growing = silo.Context("grows").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(OneSilo.Ids(900, 54)) }, Stopping).GetAsyncEnumerator(Stopping);
        Assert.True(await growing.MoveNextAsync()); // accepted: it has read version 1
        var stored = (await manifests.FindAsync("default", OneSilo.Model, "grows", Stopping))!;
        await manifests.CommitAsync(stored.Manifest with { Chunks = new Dictionary<string, ManifestChunk[]>(stored.Manifest.Chunks) { ["other"] = [] } }, stored, Stopping);

        while (await growing.MoveNextAsync())
        {
        }

        Assert.Equal((2, Tokens + 900), ((await ManifestAsync("grows")).Version, (await ManifestAsync("grows")).TokenIds.Length));
    }

    private async Task<ContextManifest> ManifestAsync(string name) => (await new ManifestStore(silo.Store).FindAsync("default", OneSilo.Model, name, Stopping))!.Manifest;

    private async Task SweepAsync() =>
        await silo.Grains.GetGrain<ISweepGrain>("default").SweepAsync(new StoreSweepRequest(DryRun: false, TimeSpan.Zero), Stopping).LastAsync(Stopping);
}
