using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Models;
using Granary.Grains.Tests.Hosting;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;

namespace Granary.Grains.Tests.Contexts;

/// <summary>The engine's queue refuses new work while it is full, and goes on with what it let in.</summary>
public sealed class FullQueueTests(FullQueueTests.NarrowSilo silo) : IClassFixture<FullQueueTests.NarrowSilo>
{
    private const int Tokens = 1500;

    [Fact, Trait("Invariant", "8")]
    public async Task Create_QueueFullBetweenItsPages_GoesOn()
    {
        var computes = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var creation = CreateAsync();
        await Task.WhenAny(computes.Task, creation);
        var (entered, refused) = await Task.Run(() => PressAsync(creation), TestContext.Current.CancellationToken);

        Assert.Equal(Tokens, (await creation).PrefilledTokens);
        Assert.True(entered > 0 && refused > 0, $"{entered} asks got into the queue and {refused} did not: it was never full between two pages.");

        async Task<ContextCreated> CreateAsync()
        {
            ContextCreated? created = null;
            var request = new CreateContextRequest { Input = TokenInput.OfTokens(OneSilo.Ids(Tokens, 1)) };
            await foreach (var progress in silo.Context("long").CreateAsync(request, TestContext.Current.CancellationToken))
            {
                created = progress.Result;
                if (progress is { Stage: ContextStage.Prefilling, DoneTokens: > 0 })
                {
                    computes.TrySetResult();
                }
            }

            return created!;
        }
    }

    // Asks the engine without a pause, so that one gets in as soon as a page is done, and is there when the next page comes.
    private async Task<(int Entered, int Refused)> PressAsync(Task creation)
    {
        const int NewTokens = 20;
        var (entered, refused) = (0, 0);
        var model = silo.Loaded;
        var budget = new KvBudget(1 << 20);
        while (!creation.IsCompleted)
        {
            using var reservation = await budget.AdmitAsync((1 + NewTokens) * model.Layout.BytesPerToken, batch: false, TestContext.Current.CancellationToken);
            using var tail = KvTail.Allocate(model.Layout, 0, 1 + NewTokens, reservation);
            try
            {
                await model.GenerateAsync(new GenerationWork
                {
                    Pages = [],
                    PromptIds = [1],
                    Tail = tail,
                    Options = new() { MaxNewTokens = NewTokens, IgnoreEos = true },
                });
                entered++;
            }
            catch (InferenceException e) when (e.Code == ErrorCodes.QueueFull)
            {
                refused++;
            }
        }

        return (entered, refused);
    }

    /// <summary>One request at a time, and none that waits.</summary>
    public sealed class NarrowSilo : OneSilo
    {
        internal LoadedModel Loaded => Service<SiloModels>().Get(Model).Loaded;

        protected override void Configure(EngineOptions options) => options.QueueCapacity = 1;
    }
}
