using Granary.Contexts;
using Granary.Errors;
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
        await CutOffAsync("cut");
        await using var other = new SecondSilo(silo.Store);
        await other.InitializeAsync();

        await OneSilo.EndAsync(other.Context("cut").AskAsync(Ask, Stopping));

        await Wait.UntilAsync(async () => (await ManifestAsync("cut")).State == ManifestStates.Stored, "The context is not stored.");
        Assert.DoesNotContain("expected-only", (await ManifestAsync("cut")).Chunks.Keys); // of another silo, which died before it wrote them
        var checks = await silo.Grains.GetGrain<ISweepGrain>("default").CheckAsync(repair: false, Stopping).LastAsync(Stopping);
        Assert.Equal(0, checks.Result!.FaultCount);
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Delete_WhileTheAnswerToANamingIsOnItsWay_IsNotTakenBack()
    {
        await OneSilo.CreateAsync(silo.Context("late"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 55)));
        await CutOffAsync("late");
        var held = new HeldAnswerStore(silo.Store);
        await using var other = new SecondSilo(held);
        await other.InitializeAsync();
        held.Hold("contexts/");
        await OneSilo.EndAsync(other.Context("late").AskAsync(Ask, Stopping));
        await held.Reached; // the naming is there, and its answer is not

        await other.Context("late").DeleteAsync();
        held.Release();

        for (var look = 0; look < 40; look++)
        {
            Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => other.Context("late").GetAsync())).Code);
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Stopping);
        }
    }

    [Fact, Trait("Invariant", "4")]
    public async Task Append_ItsAnswerIsLostAndAnotherProcessNamesChunksOfItsVersion_IsAcknowledgedOnce()
    {
        await OneSilo.CreateAsync(silo.Context("lost"), TokenInput.OfTokens(OneSilo.Ids(Tokens, 56)));
        var held = new HeldAnswerStore(silo.Store);
        await using var other = new SecondSilo(held);
        await other.InitializeAsync();
        held.Hold("contexts/", loses: true);
        var growing = other.Context("lost").AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(OneSilo.Ids(20, 57)) }, Stopping).LastAsync(Stopping).AsTask();
        await held.Reached; // version 2 is there, and its answer is lost
        var manifests = new ManifestStore(silo.Store);
        var stored = (await manifests.FindAsync("default", OneSilo.Model, "lost", Stopping))!;
        await manifests.CommitAsync(stored.Manifest with { Chunks = new Dictionary<string, ManifestChunk[]>(stored.Manifest.Chunks) { ["other"] = [] } }, stored, Stopping);
        held.Release();

        Assert.Equal(2, (await growing).Result!.Context.Version);

        Assert.Equal((2, Tokens + 20), ((await ManifestAsync("lost")).Version, (await ManifestAsync("lost")).TokenIds.Length));
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

    // As a silo leaves it that dies before the chunks are there; another one, of other numerics, had accepted it before.
    private async Task CutOffAsync(string name)
    {
        var manifests = new ManifestStore(silo.Store);
        var stored = (await manifests.FindAsync("default", OneSilo.Model, name, Stopping))!;
        var chunks = new Dictionary<string, ManifestChunk[]>(stored.Manifest.Chunks)
        {
            ["expected-only"] = [.. stored.Manifest.Chunks.Values.Single().Select(static chunk => chunk with { Hash = new string('a', 64), Checksum = null })],
        };
        await manifests.CommitAsync(stored.Manifest with { State = ManifestStates.Accepted, Chunks = chunks }, stored, Stopping);
    }

    private async Task<ContextManifest> ManifestAsync(string name) => (await new ManifestStore(silo.Store).FindAsync("default", OneSilo.Model, name, Stopping))!.Manifest;

    private async Task SweepAsync() =>
        await silo.Grains.GetGrain<ISweepGrain>("default").SweepAsync(new StoreSweepRequest(DryRun: false, TimeSpan.Zero), Stopping).LastAsync(Stopping);
}
