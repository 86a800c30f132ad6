using Granary.Contexts;
using Granary.Grains.Stores;
using Granary.Grains.Tests.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Storage.Objects;
using Granary.Stores;

namespace Granary.Grains.Tests.Stores;

/// <summary>A tenant's store is swept by a reminder, which the first context brings about.</summary>
[Collection("Engine")]
public sealed class SweepScheduleTests(SweptSilo swept, UnsweptSilo unswept) : IClassFixture<SweptSilo>, IClassFixture<UnsweptSilo>
{
    private const string Reminder = "sweep";

    [Fact]
    public async Task Create_FirstOfATenant_RegistersTheReminder_AndATickCollectsWhatIsDeleted()
    {
        var context = swept.Context("swept");
        var before = (await ChunksAsync(swept)).Select(static chunk => chunk.Key).ToHashSet(); // another test of the silo may have been first
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 1)));
        await Wait.UntilAsync(() => IsRegistered(swept), "no reminder was registered");
        Assert.Contains(await ChunksAsync(swept), chunk => !before.Contains(chunk.Key));
        await context.DeleteAsync();

        await TickAsync(swept);

        await Wait.UntilAsync(() => ChunksAsync(swept).GetAwaiter().GetResult().TrueForAll(chunk => before.Contains(chunk.Key)), "the chunks of the deleted context were not collected");
    }

    [Fact]
    public async Task Tick_LiveContexts_KeepTheirChunks()
    {
        var context = swept.Context("kept");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(OneSilo.Ids(300, 2)));
        await OneSilo.CreateAsync(swept.Context("gone"), TokenInput.OfTokens(OneSilo.Ids(300, 3)));
        var all = await ChunksAsync(swept);
        await swept.Context("gone").DeleteAsync();

        await TickAsync(swept);

        await Wait.UntilAsync(() => ChunksAsync(swept).GetAwaiter().GetResult().Count < all.Count, "the chunks of the deleted context were not collected");
        await context.EvictAsync();
        var answer = await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = TokenInput.OfTokens(5), Options = new() { MaxNewTokens = 1 } }));
        Assert.Equal(300, answer.Usage.RestoredTokens);
    }

    [Fact]
    public async Task Schedule_Again_KeepsTheTimeOfTheFirst()
    {
        var sweeper = swept.Grains.GetGrain<ISweepGrain>("default");
        await sweeper.ScheduleAsync();
        var first = await swept.FindAsync(Reminder);

        await sweeper.ScheduleAsync();

        Assert.NotNull(first);
        Assert.Equal((first.StartAt, first.ETag), ((await swept.FindAsync(Reminder))!.StartAt, (await swept.FindAsync(Reminder))!.ETag));
    }

    [Fact]
    public async Task Period0_RegistersNothing_AndATickUnregistersWhatIsThere()
    {
        await OneSilo.CreateAsync(unswept.Context("unswept"), TokenInput.OfTokens(OneSilo.Ids(3, 4)));
        Assert.False(IsRegistered(unswept));
        await unswept.RegisterAsync(Reminder);
        Assert.True(IsRegistered(unswept));

        await TickAsync(unswept);

        Assert.False(IsRegistered(unswept));
    }

    [Theory]
    [InlineData("00:00:30", "1.00:00:00", 100, "Granary:Sweep:Period")]
    [InlineData("-00:01:00", "1.00:00:00", 100, "Granary:Sweep:Period")]
    [InlineData("01:00:00", "-00:00:01", 100, "Granary:Sweep:Grace")]
    [InlineData("01:00:00", "1.00:00:00", 0, "Granary:Sweep:DeletesPerSecond")]
    public void Validate_ImpossibleSettings_AreNamed(string period, string grace, int deletes, string setting)
    {
        var options = new SweepOptions { Period = TimeSpan.Parse(period, null), Grace = TimeSpan.Parse(grace, null), DeletesPerSecond = deletes };

        var result = new SweepOptionsValidator().Validate(null, options);

        Assert.Contains(setting, Assert.Single(result.Failures!), StringComparison.Ordinal);
        Assert.True(new SweepOptionsValidator().Validate(null, new SweepOptions()).Succeeded);
        Assert.True(new SweepOptionsValidator().Validate(null, new SweepOptions { Period = TimeSpan.Zero }).Succeeded);
    }

    private static bool IsRegistered(SweepingSilo silo) => silo.FindAsync(Reminder).GetAwaiter().GetResult() is not null;

    private static Task TickAsync(SweepingSilo silo) =>
        silo.Grains.GetGrain<ISweepGrain>("default").AsReference<IRemindable>().ReceiveReminder(Reminder, default);

    private static async Task<List<ObjectInfo>> ChunksAsync(OneSilo silo) =>
        await silo.Store.ListAsync("chunks/", TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
}
