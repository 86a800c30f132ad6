using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Inference.Tests.Engine;

/// <summary>What a request is lent goes back, to the byte, also where the request cannot be made.</summary>
[Trait("Invariant", "9")]
public sealed class LentMemoryTests(EngineFixture engine)
{
    private const string Model = "quarter-rotary";
    private const int LastPageTokens = 44;

    public enum Request
    {
        Page,
        Ask,
        Score,
    }

    [Theory]
    [InlineData(Request.Page)]
    [InlineData(Request.Ask)]
    [InlineData(Request.Score)]
    public async Task Request_APageIsFreeAlready_KeepsNoReferenceToTheOthers(Request kind)
    {
        var model = await engine.GoldenModelAsync(Model);
        var (layout, budget) = (model.Layout, ContextRun.NewBudget());
        var ids = new int[layout.PageSize + LastPageTokens];
        var reservation = await budget.AdmitAsync(layout.BytesPerToken * 1000, false, default);
        var first = KvPage.Allocate(layout, 0, layout.PageSize, reservation);
        var freed = KvPage.Allocate(layout, layout.PageSize, LastPageTokens, reservation);
        var tail = KvTail.Allocate(layout, ids.Length, 2, reservation);
        freed.Release();
        var live = KvMemory.LiveBytes;

        await Assert.ThrowsAsync<ObjectDisposedException>(() => kind switch
        {
            Request.Page => model.PrefillPageAsync([first], freed, ids.AsMemory(layout.PageSize), false, default),
            Request.Ask => model.GenerateAsync(new GenerationWork { Pages = [first, freed], PriorIds = ids, PromptIds = [1], Tail = tail, Options = ExactnessTests.Options(2) }),
            _ => model.ScoreAsync([first, freed], ids.AsMemory(layout.PageSize), [[1, 2]], [tail], reservation, false, default),
        });

        Assert.Equal(live, KvMemory.LiveBytes);
        Assert.True(first.Release()); // the test's reference was the last
        tail.Dispose();
        reservation.Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact, Trait("Invariant", "10")]
    public async Task Score_LastPageComputedAgain_IsPaidByTheReservationAndGivenBack()
    {
        const int spareTokens = 10;
        await using var own = new DeviceEngine(new EngineOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);
        var model = await own.LoadAsync(EngineFixture.Golden("models/" + Model), Model, new ModelLoadOptions(Fingerprints: new(Path.Combine(AppContext.BaseDirectory, "fingerprints"))));
        var ids = ExactnessTests.Ids(model.Layout.PageSize + LastPageTokens, 1);
        using var context = await ContextRun.PrefillAsync(model, ids);
        var (pages, again, spare) = (context.Budget.UsedBytes, LastPageTokens * model.Layout.BytesPerToken, spareTokens * model.Layout.BytesPerToken);
        using var reservation = await context.Budget.AdmitAsync(again + spare, false, default);
        using var tail = KvTail.Allocate(model.Layout, ids.Length, 0, reservation); // one token is scored, none is run
        using var release = new ManualResetEventSlim();
        var busy = own.RunAsync(new SingleStep<bool>(() => release.Wait(TimeSpan.FromMinutes(1)), batch: false, CancellationToken.None));

        var score = model.ScoreAsync(context.Pages, ids.AsMemory(model.Layout.PageSize), [[7]], [tail], reservation, false, default);

        Assert.Equal((spare, pages + again + spare), (reservation.Bytes, context.Budget.UsedBytes));
        release.Set();
        Assert.True(await busy);
        Assert.Single(Assert.Single(await score));
        Assert.Equal((spare, pages + spare), (reservation.Bytes, context.Budget.UsedBytes));
    }

    [Fact, Trait("Invariant", "10")]
    public async Task Score_ReservationIsTooSmallForTheLastPage_ThrowsAndTakesNothing()
    {
        var model = await engine.GoldenModelAsync(Model);
        var ids = ExactnessTests.Ids(LastPageTokens, 1);
        using var context = await ContextRun.PrefillAsync(model, ids);
        using var reservation = await context.Budget.AdmitAsync((LastPageTokens * model.Layout.BytesPerToken) - 1, false, default);
        using var tail = KvTail.Allocate(model.Layout, ids.Length, 0, reservation);
        var (held, live) = (reservation.Bytes, KvMemory.LiveBytes);

        await Assert.ThrowsAsync<InvalidOperationException>(() => model.ScoreAsync(context.Pages, ids, [[7]], [tail], reservation, false, default));

        Assert.Equal((held, live), (reservation.Bytes, KvMemory.LiveBytes));
    }

    [Theory]
    [InlineData(1)] // one token more than a span can have
    [InlineData(int.MaxValue)]
    public async Task Forward_PaddingIsTooLarge_IsRefusedAndNothingIsHeld(int over)
    {
        var model = await engine.GoldenModelAsync(Model);
        var padding = (int)Math.Min(int.MaxValue, (int.MaxValue / model.Layout.BytesPerToken) + (long)over);
        var live = KvMemory.LiveBytes;

        var refused = await Assert.ThrowsAsync<InferenceException>(() => model.ForwardAsync(new ForwardRequest { TokenIds = [1, 2], Split = 1, LeftPad = padding }, default));

        Assert.Equal("RequestTooLarge", refused.Code);
        Assert.Equal(live, KvMemory.LiveBytes);
    }
}
