using Granary.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Objects;
using Granary.Storage.Tests.Maintenance;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A stored chunk is damaged behind a silo's back: the answer is right, the damage counted once under its reason and repaired (invariant 1).</summary>
public abstract class TamperTests(TamperedSilo silo)
{
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 6, IgnoreEos = true, LogProbabilities = true };
    private static readonly TokenInput Prompt = TokenInput.OfTokens(5, 6, 7);

    public static TheoryData<string, string> Damages => new()
    {
        { "first byte of the length", "header" },
        { "last byte of the length", "header" },
        { "version", "header" },
        { "fingerprint", "header" },
        { "end of the fingerprint", "header" },
        { "numerics", "header" },
        { "hash", "header" },
        { "parent", "header" },
        { "start", "header" },
        { "count", "header" },
        { "checksum", "checksum" },
        { "dtype", "header" },
        { "shape", "header" },
        { "first byte of the data", "checksum" },
        { "last byte of the data", "checksum" },
        { "token id", "tokens" },
        { "cut by a byte", "length" },
        { "longer by a byte", "length" },
        { "empty", "length" },
        { "the next chunk's", "header" },
        { "another context's", "header" },
        { "gone", "absent" },
    };

    [Theory, MemberData(nameof(Damages)), Trait("Invariant", "1")]
    public async Task AskAsync_ChunkIsDamaged_AnswersRightCountsOnceAndRepairs(string damage, string reason)
    {
        silo.Require();
        var name = damage.Replace(' ', '-').Replace('\'', '-');
        var context = silo.Context(name);
        var ids = OneSilo.Ids(600, damage.Length + (31 * name[0]) + name[^1]); // three pages
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
        await OneSilo.CreateAsync(silo.Context(name + "-2"), TokenInput.OfTokens([.. ids.Reverse()]));
        var expected = await AskAsync(context);
        var keys = await silo.ChunkKeysAsync(name);
        var key = keys[1];
        var good = (await silo.Store.FindAsync(key, Stopping))!.Content;
        await context.EvictAsync();
        await silo.Context(name + "-2").EvictAsync();
        if (damage == "gone")
        {
            await silo.Store.DeleteAsync(key, Precondition.None, Stopping);
        }
        else
        {
            var bad = damage switch
            {
                "the next chunk's" => (await silo.Store.FindAsync(keys[0], Stopping))!.Content,
                "another context's" => (await silo.Store.FindAsync((await silo.ChunkKeysAsync(name + "-2"))[1], Stopping))!.Content,
                _ => ChunkDamage.Of(good, damage),
            };
            await silo.Store.PutAsync(key, new(bad), Precondition.None, Stopping);
        }

        using var failures = new TokenCount("granary.integrity.failures");
        var answer = await AskAsync(context);

        Assert.Equal((256, 344), (answer.Usage.RecomputedTokens, answer.Usage.RestoredTokens));
        AssertSame(expected, answer);
        Assert.Equal([(reason, 1L)], failures.ByTag("reason"));
        await Wait.UntilAsync(() => silo.Store.FindAsync(key, Stopping).GetAwaiter().GetResult() is { } now && now.Content.AsSpan().SequenceEqual(good), "the chunk was not repaired");
        await context.EvictAsync();
        var again = await AskAsync(context);
        Assert.Equal((0, 600), (again.Usage.RecomputedTokens, again.Usage.RestoredTokens));
        AssertSame(expected, again);
        Assert.Equal(1, failures.Total);
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private static Task<Answer> AskAsync(IContextGrain context) => OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = Greedy }));

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities, actual.LogProbabilities); // to the bit
    }
}

/// <summary>On a folder.</summary>
[Collection("Engine")] // the counters of DESIGN §9 belong to the process
public sealed class FolderTamperTests(FolderSilo silo) : TamperTests(silo), IClassFixture<FolderSilo>;

/// <summary>On Azure Blob Storage, as Azurite is it.</summary>
[Collection("Engine")]
public sealed class AzureTamperTests(AzuriteSilo silo) : TamperTests(silo), IClassFixture<AzuriteSilo>;
