using System.Text;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Specs;
using Granary.Storage.Tests.Objects;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Specs;

public sealed class ModelSpecStoreTests
{
    private readonly InMemoryObjectStore _objects = new(new FakeTimeProvider());
    private readonly ModelSpecStore _specs;

    public ModelSpecStoreTests() => _specs = new ModelSpecStore(_objects);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private static ModelSpec Spec => new()
    {
        Model = "pythia-70m",
        Fingerprint = "c0ffee",
        TokenizerDigest = "d1",
        Dtype = "float32",
        Codec = "none",
        PageSize = 256,
        Window = 2048,
        KvBytesPerToken = 24576,
    };

    [Fact]
    public async Task EnsureAsync_IdIsNew_RecordsItAndAcceptsItAgain()
    {
        Assert.Null(await _specs.FindAsync("pythia-70m", Stopping));

        await _specs.EnsureAsync(Spec, Stopping);
        await _specs.EnsureAsync(Spec, Stopping);

        Assert.Equal(Spec, await _specs.FindAsync("pythia-70m", Stopping));
        Assert.Equal(["models/pythia-70m.json"], await _objects.ListKeysAsync(""));
    }

    public static TheoryData<ModelSpec, string> Others => new()
    {
        { Spec with { Fingerprint = "bad" }, "fingerprint is c0ffee there and bad here" },
        { Spec with { TokenizerDigest = null }, "tokenizer digest is d1 there and none here" },
        { Spec with { Dtype = "bfloat16" }, "dtype is float32 there and bfloat16 here" },
        { Spec with { Codec = "bfloat16" }, "codec" },
        { Spec with { PageSize = 128 }, "page size is 256 there and 128 here" },
        { Spec with { Window = 4096 }, "window" },
        { Spec with { KvBytesPerToken = 1 }, "KV bytes per token" },
    };

    [Theory, MemberData(nameof(Others))]
    public async Task EnsureAsync_IdHasAnotherContent_SaysWhichField(ModelSpec other, string difference)
    {
        await _specs.EnsureAsync(Spec, Stopping);

        var fault = await Assert.ThrowsAsync<StorageException>(() => _specs.EnsureAsync(other, Stopping));

        Assert.Equal("ModelSpecConflict", fault.Code);
        Assert.Contains(difference, fault.Message, StringComparison.Ordinal);
        Assert.Contains("--model-id", fault.Remedy, StringComparison.Ordinal);
        Assert.DoesNotContain(";", fault.Message, StringComparison.Ordinal); // that field alone
    }

    [Fact]
    public async Task EnsureAsync_ManyAtOnceDiffer_OneContentWins()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
        {
            try
            {
                await _specs.EnsureAsync(Spec with { Window = 1024 * ((i % 2) + 1) }, Stopping);
                return i % 2;
            }
            catch (StorageException e) when (e.Code == "ModelSpecConflict")
            {
                return -1;
            }
        })));

        Assert.Equal(8, outcomes.Count(o => o == -1));
        Assert.Single(outcomes.Where(o => o >= 0).Distinct());
    }

    [Fact]
    public async Task FindAsync_RecordIsDamagedOrAnothers_Refuses()
    {
        await _specs.EnsureAsync(Spec, Stopping);
        var bytes = (await _objects.FindAsync("models/pythia-70m.json", Stopping))!.Content;
        await _objects.PutAsync("models/other.json", new(bytes), Precondition.None, Stopping);
        bytes[40] ^= 1;
        await _objects.PutAsync("models/pythia-70m.json", new(bytes), Precondition.None, Stopping);
        await _objects.PutAsync("models/empty.json", Bytes.Text(""), Precondition.None, Stopping);

        foreach (var model in (string[])["pythia-70m", "other", "empty"])
        {
            Assert.Equal("ModelSpecConflict", (await Assert.ThrowsAsync<StorageException>(() => _specs.FindAsync(model, Stopping))).Code);
        }
    }

    [Fact]
    public async Task ListAsync_SpecsAreMany_GivesThemById()
    {
        foreach (var model in (string[])["b", "a", "c"])
        {
            await _specs.EnsureAsync(Spec with { Model = model }, Stopping);
        }

        var models = new List<string>();
        await foreach (var spec in _specs.ListAsync(Stopping))
        {
            models.Add(spec.Model);
        }

        Assert.Equal(["a", "b", "c"], models);
    }

    [Fact]
    public async Task GetSaltAsync_ManyUsersAtOnce_GetOneSalt()
    {
        var salts = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => new TenantStore(_objects).GetSaltAsync("acme", Stopping))));

        Assert.Single(salts.Select(Convert.ToHexString).Distinct());
        Assert.Equal(32, salts[0].Length);
        Assert.NotEqual(salts[0], await new TenantStore(_objects).GetSaltAsync("other", Stopping));
        Assert.Equal(["tenants/acme.json", "tenants/other.json"], await _objects.ListKeysAsync(""));
    }

    [Fact, Trait("Invariant", "12")]
    public async Task GetSaltAsync_CallerChangesIt_OthersKeepTheirs()
    {
        var tenants = new TenantStore(_objects);
        var salt = await tenants.GetSaltAsync("acme", Stopping);
        var first = salt[0];
        salt[0] ^= 1;

        Assert.Equal(first, (await tenants.GetSaltAsync("acme", Stopping))[0]);
    }

    [Fact]
    public async Task GetSaltAsync_RecordIsDamaged_SaysSo()
    {
        await new TenantStore(_objects).GetSaltAsync("acme", Stopping);
        var text = Encoding.UTF8.GetString((await _objects.FindAsync("tenants/acme.json", Stopping))!.Content);
        await _objects.PutAsync("tenants/acme.json", Bytes.Text(text.Replace("acme", "acmf", StringComparison.Ordinal)), Precondition.None, Stopping);

        Assert.Equal("ManifestInvalid", (await Assert.ThrowsAsync<StorageException>(() => new TenantStore(_objects).GetSaltAsync("acme", Stopping))).Code);
        await Assert.ThrowsAsync<StorageException>(() => new TenantStore(_objects).GetSaltAsync("../x", Stopping));
    }
}
