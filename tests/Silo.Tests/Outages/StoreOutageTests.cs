using Granary.Contexts;
using Granary.Errors;
using Granary.Testing;
using Granary.Testing.Proxies;
using Granary.Testing.Servers;

namespace Granary.Silo.Tests.Outages;

/// <summary>A silo whose Azure store goes down for a while: asks of resident contexts go on, creates wait or fail by their deadline, nothing acknowledged is lost.</summary>
/// <remarks>8 s; a minute with <c>GRANARY_SOAK=1</c>, which <c>./dev soak</c> sets: longer than any small request is tried.</remarks>
public sealed class StoreOutageTests(AzuriteServer azurite) : IClassFixture<AzuriteServer>
{
    private const int Tokens = 600; // three pages
    private const int ManyTokens = 1800; // eight

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(LongForm.Wanted ? 60 : 8);

    // Two seconds for the check, and what a busy machine may add; a cold context's pages are computed besides.
    private static readonly TimeSpan MostAnswer = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan MostComputed = TimeSpan.FromSeconds(12);

    // A caller's deadline, and how long after it the caller may be told.
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan MostLeaving = TimeSpan.FromSeconds(3);

    // A call without a stream is given up after 5 s.
    private static readonly TimeSpan MostDelete = TimeSpan.FromSeconds(8);

    // The longest that a creation goes on: a chunk's four tries of 30 s, or the 41 s of a manifest's and as long to read it back.
    private static readonly TimeSpan MostCreation = TimeSpan.FromSeconds(200);

    private readonly string _container = $"t{Guid.NewGuid():N}";

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true), Trait("Invariant", "2"), Trait("Invariant", "4")]
    public async Task Silo_StoreGoesDownWithinACreation_NothingAcknowledgedIsLost(bool isSilent)
    {
        await using var proxy = new FaultyProxy(azurite.Port);
        var contexts = new Dictionary<string, int[]>
        {
            ["resident"] = OutageSilo.Ids(Tokens, 1),
            ["cold"] = OutageSilo.Ids(Tokens, 2),
            ["unseen"] = OutageSilo.Ids(Tokens, 3),
            ["midway"] = OutageSilo.Ids(ManyTokens, 4),
            ["late"] = OutageSilo.Ids(Tokens, 5),
            ["left"] = OutageSilo.Ids(Tokens, 6),
        };
        var expected = await StoreThreeAsync(contexts);
        const string doomed = "doomed";

        await using (var silo = await OutageSilo.StartAsync($"{AzuriteServer.ConnectionStringBy(proxy.Port)}Container={_container}", Stopping))
        {
            Assert.Equal(expected["resident"], OutageSilo.Bits(await silo.AskAsync("resident", Stopping)));
            await silo.AskAsync("cold", Stopping);
            await silo.Context("cold").EvictAsync(Stopping);
            await silo.CreateAsync(doomed, contexts["resident"], Stopping);
            var began = BeginWithTheSecondChunk(proxy, isSilent);
            var midway = TryAsync(() => silo.CreateAsync("midway", contexts["midway"], Stopping));
            await Task.WhenAny(began, midway);
            Assert.True(began.IsCompleted, "The creation ended before it had sent two chunks.");
            var started = TimeProvider.System.GetTimestamp();

            var late = TryAsync(() => silo.CreateAsync("late", contexts["late"], Stopping));
            var unseen = TryAsync(async () => Assert.Equal(expected["unseen"], OutageSilo.Bits(await silo.AskAsync("unseen", Stopping))));
            await Task.WhenAll(
                LeaveAsync(leaving => silo.CreateAsync("left", contexts["left"], leaving), isSilent),
                LeaveAsync(leaving => silo.AskAsync("unseen", leaving), isSilent),
                ComputeColdAsync(silo, expected["cold"]),
                FailToDeleteAsync(silo, doomed),
                AskUntilAsync(() => TimeProvider.System.GetElapsedTime(started) > Length, silo, expected["resident"]));
            proxy.EndOutage();

            foreach (var (name, outcome) in new Dictionary<string, Task<GranaryException?>> { ["midway"] = midway, ["late"] = late, ["unseen"] = unseen })
            {
                // Acknowledged or answered, or refused by name: then it can be repeated.
                var fault = await outcome.WaitAsync(MostCreation, Stopping);
                Assert.True(fault is null or { Code: ErrorCodes.StoreUnavailable }, $"'{name}' failed: {fault}");
                TestContext.Current.SendDiagnosticMessage($"{(isSilent ? "silent" : "refusing")} for {Length.TotalSeconds} s: '{name}' {(fault is null ? "came through" : "was refused")}");
            }

            var after = await silo.AskAsync("resident", Stopping);
            Assert.Equal(expected["resident"], OutageSilo.Bits(after));
            Assert.Null(after.VersionAgeSeconds);
            foreach (var name in (string[])["midway", "late", "left"])
            {
                await silo.CreateAsync(name, contexts[name], Stopping);
            }

            await AssertAllAsync(silo, expected);
            await DeleteAsync(silo, doomed);
        }

        await using var next = await OutageSilo.StartAsync($"{azurite.ConnectionString}Container={_container}", Stopping);
        Assert.Equal(ErrorCodes.ContextNotFound, (await TryAsync(() => next.AskAsync(doomed, Stopping)))?.Code);
        foreach (var (name, answer) in await AssertAllAsync(next, expected))
        {
            Assert.True(answer.Usage.RestoredTokens == contexts[name].Length, $"Of '{name}' only {answer.Usage.RestoredTokens} of {contexts[name].Length} tokens were found in the store.");
        }
    }

    // Before the outage, by another silo, so that the next has seen none of them.
    private async Task<Dictionary<string, string>> StoreThreeAsync(Dictionary<string, int[]> contexts)
    {
        await using var silo = await OutageSilo.StartAsync($"{azurite.ConnectionString}Container={_container}", Stopping);
        foreach (var name in (string[])["resident", "cold", "unseen"])
        {
            await silo.CreateAsync(name, contexts[name], Stopping);
        }

        var expected = new Dictionary<string, string>();
        foreach (var (name, ids) in contexts)
        {
            expected[name] = await silo.ComputeAsync(ids, Stopping);
        }

        return expected;
    }

    private static Task BeginWithTheSecondChunk(FaultyProxy proxy, bool isSilent)
    {
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var chunks = 0;
        proxy.Inject(
            request => request.Method == "PUT" && request.Target.Contains("/chunks", StringComparison.Ordinal) && ++chunks == 2,
            ProxyFault.Overtaken(() =>
            {
                proxy.BeginOutage(isSilent);
                began.SetResult();
                return Task.CompletedTask;
            }));
        return began.Task;
    }

    private static async Task AskUntilAsync(Func<bool> isOver, OutageSilo silo, string expected)
    {
        var (answers, oldest) = (0, 0.0);
        for (; !isOver(); answers++)
        {
            var started = TimeProvider.System.GetTimestamp();
            var answer = await silo.AskAsync("resident", Stopping);
            Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, MostAnswer);
            Assert.Equal(expected, OutageSilo.Bits(answer));
            Assert.Equal("resident", answer.Plan.Decision);
            oldest = Math.Max(oldest, answer.VersionAgeSeconds ?? 0);
        }

        TestContext.Current.SendDiagnosticMessage($"{answers} asks were answered, at last {oldest:F1} s after the last check");
        Assert.InRange(answers, 2, int.MaxValue);
        Assert.InRange(oldest, 1, Length.TotalSeconds + MostAnswer.TotalSeconds);
    }

    private static async Task ComputeColdAsync(OutageSilo silo, string expected)
    {
        // From now on nothing that was checked is young enough.
        await Task.Delay(TimeSpan.FromSeconds(1.05), TimeProvider.System, Stopping);
        var started = TimeProvider.System.GetTimestamp();
        var answer = await silo.AskAsync("cold", Stopping);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, MostComputed);
        Assert.Equal(expected, OutageSilo.Bits(answer));
        Assert.Equal(Tokens, answer.Usage.RecomputedTokens);
        Assert.Equal("stored", (await silo.Context("cold").GetAsync(Stopping)).State);
    }

    // Not acknowledged; in silence it may have its effect once the store is back.
    private static async Task FailToDeleteAsync(OutageSilo silo, string name)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        leaving.CancelAfter(MostDelete); // the SDK would go on trying
        var fault = await Record.ExceptionAsync(() => silo.Context(name).DeleteAsync(leaving.Token));
        Assert.True(
            fault is GranaryException { Code: ErrorCodes.StoreUnavailable } || fault is OperationCanceledException,
            $"A delete within the outage: {fault?.ToString() ?? "it was acknowledged"}");
    }

    private static async Task DeleteAsync(OutageSilo silo, string name)
    {
        var fault = await TryAsync(() => silo.Context(name).DeleteAsync(Stopping));
        Assert.True(fault is null or { Code: ErrorCodes.ContextNotFound }, $"The delete was repeated: {fault}");
    }

    // A store that refuses is told before the deadline, one that is silent is left at it.
    private static async Task LeaveAsync(Func<CancellationToken, Task> act, bool isSilent)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        leaving.CancelAfter(Deadline);
        var started = TimeProvider.System.GetTimestamp();
        var error = await Record.ExceptionAsync(() => act(leaving.Token));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, Deadline + MostLeaving);
        Assert.True(
            error is GranaryException { Code: ErrorCodes.StoreUnavailable } || error is OperationCanceledException,
            $"While the store was {(isSilent ? "silent" : "refusing")}: {error?.ToString() ?? "it succeeded"}");
    }

    private static async Task<GranaryException?> TryAsync(Func<Task> act)
    {
        try
        {
            await act();
            return null;
        }
        catch (GranaryException e)
        {
            return e;
        }
    }

    private static async Task<List<(string Name, Answer Answer)>> AssertAllAsync(OutageSilo silo, Dictionary<string, string> expected)
    {
        var answers = new List<(string, Answer)>();
        foreach (var (name, bits) in expected)
        {
            var answer = await silo.AskAsync(name, Stopping);
            Assert.True(bits == OutageSilo.Bits(answer), $"'{name}' answers\n{OutageSilo.Bits(answer)}\ninstead of\n{bits}");
            answers.Add((name, answer));
        }

        return answers;
    }
}
