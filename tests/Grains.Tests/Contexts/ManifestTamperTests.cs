using System.Text;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;
using Granary.Stores;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A manifest or the blob of its ids is damaged behind a silo's back: a named error for that context alone, which a check finds, and a delete ends (invariant 3).</summary>
public abstract class ManifestTamperTests(TamperedSilo silo)
{
    private static readonly AskRequest Ask = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Options = new GenerationOptions { MaxNewTokens = 4, IgnoreEos = true, LogProbabilities = true },
    };

    public static TheoryData<string> Damages =>
    [
        "first byte", "middle byte", "last byte", "cut by a byte", "longer by a byte", "empty", "another name's", "another tenant's", "count of 2^63-1", "count of 2^63", "count of 1e300",
    ];

    public static TheoryData<string> BlobDamages => ["first byte", "middle byte", "last byte", "cut by a byte", "longer by a byte", "empty", "another list's", "gone"];

    [Theory, MemberData(nameof(Damages)), Trait("Invariant", "3")]
    public Task AskAsync_ManifestIsDamaged_IsRefusedAlone(string damage) => AssertRefusedAloneAsync(damage, ofBlob: false);

    [Theory, MemberData(nameof(BlobDamages)), Trait("Invariant", "3")]
    public Task AskAsync_TokenBlobIsDamaged_IsRefusedAlone(string damage) => AssertRefusedAloneAsync(damage, ofBlob: true);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private async Task AssertRefusedAloneAsync(string damage, bool ofBlob)
    {
        silo.Require();
        var name = $"{(ofBlob ? "blob" : "manifest")}-{damage.Replace(' ', '-').Replace('\'', '-').Replace('^', '-')}";
        var (bad, beside) = (silo.Context(name), silo.Context(name + "-2"));
        var ids = OneSilo.Ids(300, name.Length + (31 * damage[0]) + damage[^1]); // one page and a part; their ids lie in a blob
        var others = await silo.BlobKeysAsync();
        await OneSilo.CreateAsync(bad, TokenInput.OfTokens(ids));
        var manifestKey = $"contexts/default/{OneSilo.Model}/{name}.json";
        var key = ofBlob ? Assert.Single(await silo.BlobKeysAsync(), blob => !others.Contains(blob)) : manifestKey;
        await OneSilo.CreateAsync(beside, TokenInput.OfTokens([.. ids.Reverse()]));
        await OneSilo.CreateAsync(silo.Context(name, "another"), TokenInput.OfTokens([.. ids.Reverse()]));
        var (expected, expectedBeside) = (await AskAsync(bad), await AskAsync(beside));
        var good = (await silo.Store.FindAsync(key, Stopping))!.Content;
        if (damage == "gone")
        {
            await silo.Store.DeleteAsync(key, Precondition.None, Stopping);
        }
        else
        {
            await silo.Store.PutAsync(key, new(await DamageAsync(damage, good, name, key)), Precondition.None, Stopping);
        }

        // The activation knows the context still, but acknowledges nothing on it.
        AssertNamed(await Assert.ThrowsAsync<GranaryException>(() => OneSilo.CreateAsync(bad, TokenInput.OfTokens(ids))), name, key, ofBlob);
        await silo.DeactivateAllAsync();
        AssertNamed(await Assert.ThrowsAsync<GranaryException>(() => AskAsync(bad)), name, key, ofBlob);
        AssertNamed(await Assert.ThrowsAsync<GranaryException>(bad.GetAsync), name, key, ofBlob);
        AssertSame(expectedBeside, await AskAsync(beside));
        var faults = await CheckAsync();
        Assert.Contains(faults, fault => (fault.Key, fault.Kind, fault.Context, fault.Repaired) == (manifestKey, "manifest", $"{OneSilo.Model}/{name}", false));
        Assert.True(!ofBlob || damage == "gone" || faults.Any(fault => (fault.Key, fault.Kind) == (key, "tokens")));

        await bad.DeleteAsync("deleted");
        await silo.DeactivateAllAsync();
        await bad.DeleteAsync("deleted"); // sent again by a caller who had no answer
        Assert.Equal(ErrorCodes.ContextNotFound, (await Assert.ThrowsAsync<GranaryException>(() => bad.DeleteAsync("another"))).Code);
        await OneSilo.CreateAsync(bad, TokenInput.OfTokens(ids));
        await bad.DeleteAsync("deleted"); // counts once: what was made after it stays
        AssertSame(expected, await AskAsync(bad));
        Assert.Empty(await CheckAsync());
        var now = (await silo.Store.FindAsync(key, Stopping))!.Content;
        Assert.True(!ofBlob || good.AsSpan().SequenceEqual(now));
    }

    private async Task<byte[]> DamageAsync(string damage, byte[] good, string name, string key)
    {
        var other = damage switch
        {
            "another name's" => $"contexts/default/{OneSilo.Model}/{name}-2.json",
            "another tenant's" => $"contexts/another/{OneSilo.Model}/{name}.json",
            "another list's" => (await silo.BlobKeysAsync()).First(blob => blob != key),
            _ => null,
        };
        return other is not null
            ? (await silo.Store.FindAsync(other, Stopping))!.Content
            : damage switch
            {
                "first byte" => Flip(good, 0),
                "middle byte" => Flip(good, good.Length / 2),
                "last byte" => Flip(good, good.Length - 1),
                "cut by a byte" => good[..^1],
                "longer by a byte" => [.. good, 0],
                "empty" => [],
                "count of 2^63-1" => WithCount(good, "9223372036854775807"),
                "count of 2^63" => WithCount(good, "9223372036854775808"),
                _ => WithCount(good, "1e300"),
            };
    }

    private static byte[] Flip(byte[] good, int at) => [.. good[..at], (byte)(good[at] ^ 1), .. good[(at + 1)..]];

    // Under the right checksum.
    private static byte[] WithCount(byte[] good, string count)
    {
        Assert.True(SealedJson.TryOpen(good, out var json));
        var text = Encoding.UTF8.GetString(json);
        var at = text.IndexOf("\"count\":300", text.IndexOf("\"tokenBlob\"", StringComparison.Ordinal), StringComparison.Ordinal);
        return SealedJson.Seal(Encoding.UTF8.GetBytes(text[..at] + $"\"count\":{count}" + text[(at + 11)..]));
    }

    private async Task<StoreFaultDescription[]> CheckAsync() => (await silo.Grains.GetGrain<ISweepGrain>("default").CheckAsync(repair: false, Stopping).LastAsync(Stopping)).Result!.Faults;

    private static Task<Answer> AskAsync(IContextGrain context) => OneSilo.EndAsync(context.AskAsync(Ask));

    private static void AssertNamed(GranaryException fault, string name, string key, bool ofBlob)
    {
        Assert.Equal(ErrorCodes.ManifestInvalid, fault.Code);
        Assert.Contains($"'default/{OneSilo.Model}/{name}'", fault.Message, StringComparison.Ordinal);
        Assert.Equal(ofBlob, fault.Message.Contains($"'{key}'", StringComparison.Ordinal));
        Assert.Contains("delete the context", fault.Remedy, StringComparison.Ordinal);
    }

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities, actual.LogProbabilities); // to the bit
    }
}

/// <summary>On a folder.</summary>
[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class FolderManifestTamperTests(FolderSilo silo) : ManifestTamperTests(silo), IClassFixture<FolderSilo>;

/// <summary>On Azure Blob Storage, as Azurite is it.</summary>
[Collection("Engine")]
public sealed class AzureManifestTamperTests(AzuriteSilo silo) : ManifestTamperTests(silo), IClassFixture<AzuriteSilo>;
