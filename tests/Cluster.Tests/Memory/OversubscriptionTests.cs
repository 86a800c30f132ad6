using System.Globalization;
using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Errors;
using Granary.Silos;
using Granary.Testing;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Memory;

/// <summary>Sixteen times as much KV as the budget holds, 32 asks open at a time, callers that leave and callers that die: memory stays what it may be.</summary>
/// <remarks><c>./dev soak</c> runs it for four minutes, has a client killed and another started every 30 s, and compares the silo's memory after the first minute with that after the last.</remarks>
public sealed class OversubscriptionTests(ITestOutputHelper output)
{
    private const string Model = "ledger-4m";
    private const long BytesPerToken = 8192;
    private const long Budget = 2000 * BytesPerToken;
    private const int Tokens = 500;
    private const int Contexts = 64; // 16 budgets
    private const int Processes = 4;
    private const int AsksEach = 8;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Lasts = LongForm.Wanted ? 4 * Minute : TimeSpan.FromSeconds(25);
    private static readonly TimeSpan KillEvery = LongForm.Wanted ? Minute / 2 : Lasts / 2;
    private static readonly TimeSpan Sampling = TimeSpan.FromMilliseconds(200);

    internal static string NameOf(int context) => string.Create(CultureInfo.InvariantCulture, $"memory-{context}");

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "10")]
    public async Task OneSilo_SixteenTimesItsBudgetAndClientsThatDie_StaysWithinItAndEndsEmpty()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        var port = LoopbackPort.FindFree();
        var cluster = string.Create(CultureInfo.InvariantCulture, $"localhost:{port}");
        var settings = new Dictionary<string, string?> { ["Granary__Residency__BudgetBytes"] = Budget.ToString(CultureInfo.InvariantCulture) };
        await using var silo = await SiloProcess.StartAsync(folder.GetPath("store"), "localhost", cancellationToken, port, settings: settings);
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken);
        var client = connection.Client;
        for (var context = 0; context < Contexts; context++)
        {
            await CreateAsync(client, NameOf(context), Tokens, cancellationToken);
        }

        await CreateAsync(client, "huge", 1900, cancellationToken);
        var asking = Enumerable.Range(0, Processes).Select(number => MemoryClient.Start(cluster, Contexts, AsksEach, number)).ToList();
        try
        {
            var (began, most, mostAllocated, samples, afterMinute, killed) = (TimeProvider.System.GetTimestamp(), 0L, 0L, 0, 0L, 0);
            for (; TimeProvider.System.GetElapsedTime(began) is var elapsed && elapsed < Lasts; samples++)
            {
                var description = await DescribeAsync(client, cancellationToken);
                (most, mostAllocated) = (Math.Max(most, description.ResidentBytes), Math.Max(mostAllocated, description.AllocatedBytes));
                if (elapsed > (killed + 1) * KillEvery)
                {
                    await RefuseAsync(client, cancellationToken);
                    output.WriteLine($"after {(int)elapsed.TotalSeconds} s a client is killed; the silo has {silo.ResidentSetBytes >> 20} MiB");
                    asking[killed++].Kill(); // the oldest
                    asking.Add(MemoryClient.Start(cluster, Contexts, AsksEach, asking.Count));
                }

                if (afterMinute == 0 && elapsed > Minute)
                {
                    afterMinute = silo.ResidentSetBytes;
                }

                await Task.Delay(Sampling, TimeProvider.System, cancellationToken);
            }

            var atEnd = silo.ResidentSetBytes;
            output.WriteLine($"{samples} samples, most {most} of {Budget} bytes admitted, {mostAllocated} allocated; the process has {atEnd >> 20} MiB{(afterMinute > 0 ? $", after a minute {afterMinute >> 20}" : "")}; {string.Join(", ", asking.Select(static process => process.Lines.LastOrDefault(HasAsked)))}");
            Assert.InRange(most, Budget / 2, Budget);
            Assert.InRange(mostAllocated, Budget / 2, Budget);
            Assert.Equal((int)(Lasts / KillEvery) - 1, killed);
            Assert.All(asking.Skip(killed), static process => Assert.False(process.HasExited, process.Tail()));
            if (LongForm.Wanted)
            {
                Assert.All(asking.Take(killed), static process => Assert.Contains(process.Lines, HasAsked)); // whoever was killed was in the middle of it
                Assert.InRange(atEnd, 0, afterMinute * 105 / 100);
            }
        }
        finally
        {
            foreach (var process in asking)
            {
                await process.DisposeAsync(); // kills
            }
        }

        await EndEmptyAsync(client, cancellationToken);
    }

    private static bool HasAsked(string line) => line.Contains("asked", StringComparison.Ordinal);

    // It can never fit with so long an answer: whoever waits in front of it, it is not queued.
    private static async Task RefuseAsync(IGranaryClient client, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        var request = new AskRequest { Prompt = TokenInput.OfTokens(1), Options = new GenerationOptions { MaxNewTokens = 120, IgnoreEos = true } };
        var error = await Assert.ThrowsAsync<GranaryException>(() => client.Context(Model, "huge").AskToEndAsync(request, cancellationToken));
        Assert.Equal(ErrorCodes.KvBudgetExceeded, error.Code);
        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    private static async Task EndEmptyAsync(IGranaryClient client, CancellationToken cancellationToken)
    {
        for (var began = TimeProvider.System.GetTimestamp(); ;)
        {
            for (var context = 0; context < Contexts; context++)
            {
                await client.Context(Model, NameOf(context)).EvictAsync(cancellationToken);
            }

            await client.Context(Model, "huge").EvictAsync(cancellationToken);
            var now = await DescribeAsync(client, cancellationToken);
            if ((now.ResidentBytes, now.AllocatedBytes, now.Leases, now.Waiting, now.Queued) == (0, 0, 0, 0, 0))
            {
                return;
            }

            // The grain drops the streams of a client that was killed once it has not heard of it for some seconds.
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(40), $"After all were evicted: {now.ResidentBytes} bytes admitted, {now.AllocatedBytes} allocated, {now.Leases} leases, {now.Waiting} waiting, {now.Queued} queued.");
            await Task.Delay(Sampling, TimeProvider.System, cancellationToken);
        }
    }

    private static async Task<SiloDescription> DescribeAsync(IGranaryClient client, CancellationToken cancellationToken) =>
        Assert.Single(await client.Cluster.ListSilosAsync(cancellationToken));

    private static async Task CreateAsync(IGranaryClient client, string name, int tokens, CancellationToken cancellationToken)
    {
        var random = new Random(name.Sum(static letter => letter) * 31);
        var ids = Enumerable.Range(0, tokens).Select(_ => random.Next(1, 2000)).ToArray();
        await client.Context(Model, name).CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken).LastAsync(cancellationToken);
    }
}
