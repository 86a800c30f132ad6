using Granary.Contexts;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Placement;

[Collection("Engine")]
public sealed class SeveralSilosTests
{
    private static readonly TimeSpan MostRefusal = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task Contexts_CreatedQuickly_AreSpread()
    {
        await using var silos = await SeveralSilos.StartAsync(3);

        await CreateAsync(silos, "early", 90);
        Assert.All(silos.CountContexts(), static count => Assert.InRange(count, 15, 45));

    }

    [Fact]
    public async Task Silo_JoinsLater_GetsMostOfWhatIsNew()
    {
        await using var silos = await SeveralSilos.StartAsync(2);
        await CreateAsync(silos, "early", 80);

        var joined = await silos.JoinAsync();
        await CreateAsync(silos, "late", 40);

        Assert.InRange(silos.CountContexts()[joined], 20, 40);
    }

    [Fact]
    public async Task Contexts_OfTwoModels_AreWhereTheirModelIsServed()
    {
        await using var silos = await SeveralSilos.StartAsync(3, model: null);
        await silos.LoadAsync(0, "one");
        await silos.LoadAsync(1, "two");

        await CreateAsync(silos, "c", 6, "one");
        Assert.Equal([6, 0, 0], silos.CountContexts());
        await CreateAsync(silos, "c", 4, "two");
        Assert.Equal([6, 4, 0], silos.CountContexts());

        var started = TimeProvider.System.GetTimestamp();
        var refused = await Assert.ThrowsAnyAsync<OrleansException>(() => CreateAsync(silos, "c", 1, "three"));
        Assert.Contains("NoWorker: No active silo serves model 'three'; served are one (1 of 3 silos), two (1 of 3 silos).", refused.Message, StringComparison.Ordinal);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, MostRefusal);
    }

    private static Task<ContextCreated[]> CreateAsync(SeveralSilos silos, string prefix, int count, string model = OneSilo.Model) => Task.WhenAll(Enumerable.Range(0, count).Select(number =>
        OneSilo.CreateAsync(silos.Context($"{prefix}-{number}", model), TokenInput.OfTokens(OneSilo.Ids(20, seed: number)))));
}
