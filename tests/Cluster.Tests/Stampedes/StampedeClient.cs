using System.Globalization;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Stampedes;

/// <summary>A client process of <see cref="StampedeTests"/>: this very executable, told to run one explicit test.</summary>
public sealed class StampedeClient
{
    private const string Prefix = "GRANARY_STAMPEDE_";
    private const string CallsAreIn = "all calls are in";
    private const int CancelledOneIn = 5;

    /// <summary>Starts it.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="seed">Makes the context's ids, the same for all clients.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="calls">How many creates and asks at once.</param>
    internal static ChildProcess Start(string cluster, int seed, int tokens, int calls) => ExplicitTest.Start(
        typeof(StampedeClient),
        nameof(CreateAndAsk_AllAtOnce),
        new Dictionary<string, string?>
        {
            [Prefix + "CLUSTER"] = cluster,
            [Prefix + "IDS"] = string.Create(CultureInfo.InvariantCulture, $"{seed},{tokens},{calls}"),
        });

    /// <summary>Waits until the cluster has answered each of a client's creates for the first time: those that ask go on to ask now, those that leave leave.</summary>
    internal static Task WaitUntilCallsAreInAsync(ChildProcess client, CancellationToken cancellationToken) =>
        client.WaitForLineAsync(static line => line.Contains(CallsAreIn, StringComparison.Ordinal), cancellationToken: cancellationToken);

    /// <summary>Gets how many of a client's calls stay to the end: one in five is cancelled as soon as the context is accepted.</summary>
    internal static int Staying(int calls) => Enumerable.Range(0, calls).Count(static number => !Leaves(number));

    /// <summary>Makes the context's ids.</summary>
    internal static int[] Ids(int seed, int tokens)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, tokens).Select(_ => random.Next(1, 2000))];
    }

    [Fact(Explicit = true)]
    public async Task CreateAndAsk_AllAtOnce()
    {
        var cluster = ExplicitTest.Told(Prefix + "CLUSTER");
        var numbers = ExplicitTest.Told(Prefix + "IDS").Split(',').Select(static number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        var ids = Ids(numbers[0], numbers[1]);
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, TimeSpan.FromSeconds(2));
        var context = connection.Client.Context("ledger-4m", $"stampede-{numbers[0]}");
        var missing = numbers[2];
        var answers = await Task.WhenAll(Enumerable.Range(0, numbers[2]).Select(CallAsync));
        Assert.Single(answers.Where(static answer => answer is not null).Select(static answer => string.Join(',', answer!.TokenIds)).Distinct());

        async Task<Answer?> CallAsync(int number)
        {
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var leaves = Leaves(number);
            var isIn = false;
            try
            {
                await foreach (var progress in context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, leaving.Token))
                {
                    if (!isIn && Interlocked.Decrement(ref missing) == 0)
                    {
                        TestContext.Current.TestOutputHelper!.WriteLine(CallsAreIn);
                    }

                    isIn = true;
                    if (leaves && progress.Stage >= ContextStage.Accepted)
                    {
                        await leaving.CancelAsync();
                    }

                    if (progress.Stage >= ContextStage.Accepted && number % 2 == 0)
                    {
                        break; // asks while it is being computed
                    }
                }

                return await context.AskToEndAsync(new AskRequest { Prompt = TokenInput.OfTokens(1, 2, 3), Options = new GenerationOptions { MaxNewTokens = 4, IgnoreEos = true } }, leaving.Token);
            }
            catch (OperationCanceledException) when (leaves)
            {
                return null;
            }
        }
    }

    private static bool Leaves(int number) => number % CancelledOneIn == 1;
}
