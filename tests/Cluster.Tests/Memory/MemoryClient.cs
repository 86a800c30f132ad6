using System.Globalization;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Memory;

/// <summary>A client process of <see cref="OversubscriptionTests"/>: this very executable, told to run one explicit test. It asks until it is killed.</summary>
public sealed class MemoryClient
{
    private const string Prefix = "GRANARY_MEMORY_";
    private const int MostTokens = 24;

    /// <summary>Starts it.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="contexts">How many contexts there are.</param>
    /// <param name="asks">How many asks it has open at a time.</param>
    /// <param name="seed">Of its random numbers.</param>
    internal static ChildProcess Start(string cluster, int contexts, int asks, int seed) => ExplicitTest.Start(
        typeof(MemoryClient),
        nameof(Ask_UntilItIsKilled),
        new Dictionary<string, string?>
        {
            [Prefix + "CLUSTER"] = cluster,
            [Prefix + "ASKS"] = string.Create(CultureInfo.InvariantCulture, $"{contexts},{asks},{seed}"),
        });

    [Fact(Explicit = true)]
    public async Task Ask_UntilItIsKilled()
    {
        var cluster = ExplicitTest.Told(Prefix + "CLUSTER");
        var numbers = ExplicitTest.Told(Prefix + "ASKS").Split(',').Select(static number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        var (contexts, asks, seed) = (numbers[0], numbers[1], numbers[2]);
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken);
        var answered = 0;
        await Task.WhenAll(Enumerable.Range(0, asks).Select(async number =>
        {
            var random = new Random((seed * 100) + number);
            while (!cancellationToken.IsCancellationRequested)
            {
                using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                var leaveAfter = random.Next(10) < 3 ? random.Next(0, 5) : int.MaxValue; // 30 % leave in the middle
                var request = new AskRequest
                {
                    Prompt = TokenInput.OfTokens(1, 2, 3),
                    Options = new GenerationOptions { MaxNewTokens = random.Next(8, MostTokens), IgnoreEos = true },
                };
                try
                {
                    await foreach (var part in connection.Client.Context("ledger-4m", OversubscriptionTests.NameOf(random.Next(contexts))).AskAsync(request, leaving.Token))
                    {
                        if (part.Token?.Index >= leaveAfter)
                        {
                            await leaving.CancelAsync();
                        }
                    }
                }
                catch (OperationCanceledException) when (leaving.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                }

                if (Interlocked.Increment(ref answered) % asks == 0)
                {
                    TestContext.Current.TestOutputHelper!.WriteLine($"asked {answered}");
                }
            }
        }));
    }
}
