using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Draining;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Streams;

/// <summary>Streams of tokens whose silo is killed go on at their next token on another one, by the SDK alone.</summary>
public sealed class SurvivingStreamsTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const string Model = "ledger-4m";
    private const int Contexts = 9;
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(2);

    // Far more tokens than a stream carries ahead of its reader: what is missing at the kill has to come from elsewhere.
    private static readonly GenerationOptions[] Options =
    [
        new() { MaxNewTokens = 400, IgnoreEos = true, LogProbabilities = true },
        new() { MaxNewTokens = 400, IgnoreEos = true, LogProbabilities = true, Temperature = 1, TopP = 0.95, Seed = 11 },
        new() { MaxNewTokens = 400, IgnoreEos = true, LogProbabilities = true, Temperature = 0.8, TopK = 50 }, // its seed is drawn, and has to be carried over
    ];

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "4")]
    public async Task Ask_ItsSiloIsKilledInTheMiddle_GoesOnWithTheTokensThatWouldHaveCome()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=streams{Guid.NewGuid():N}", $"redis://{redis.Address}/streams");
        var silos = await Task.WhenAll(Enumerable.Range(0, 3).Select(number => SiloProcess.StartAsync(
            store, cluster, cancellationToken, settings: new Dictionary<string, string?>(SiloProcess.CrashSettings) { ["Granary__Silo__Name"] = $"silo-{number}" })));
        try
        {
            await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, ResponseTimeout);
            var contexts = new List<IGranaryContext>();
            for (var number = 0; number < Contexts; number++)
            {
                var context = connection.Client.Context(Model, $"stream-{number}");
                var ids = Enumerable.Range(1, 280 + number).Select(id => 1 + (id * (number + 3) % 1900)).ToArray();
                await context.CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken).LastAsync(cancellationToken);
                contexts.Add(context);
            }

            var streams = await Task.WhenAll(contexts.Select((context, number) => HeldStream.OpenAsync(context, cancellationToken, Options[number % Options.Length])));
            var victim = (await connection.Client.Cluster.ListSilosAsync(cancellationToken)).MaxBy(static silo => silo.Streams)!;
            Assert.InRange(victim.Streams, 1, Contexts);
            await silos[victim.Silo[^1] - '0'].KillAsync(cancellationToken);

            var answers = await Task.WhenAll(streams.Select(static stream => stream.EndAsync()));

            // Restored elsewhere; one that was opened twice, as its first answer came too late, finds itself resident.
            Assert.InRange(answers.Count(static answer => answer.Plan.Decision == "load"), 1, Contexts);
            for (var number = 0; number < Contexts; number++)
            {
                var alone = await contexts[number].AskToEndAsync(
                    new AskRequest { Prompt = TokenInput.OfTokens(7, 8, 9), Options = Options[number % Options.Length] with { Seed = answers[number].Seed } }, cancellationToken);
                Assert.Equal(alone.TokenIds, answers[number].TokenIds);
                Assert.Equal(alone.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), answers[number].LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
            }
        }
        finally
        {
            foreach (var silo in silos)
            {
                await silo.DisposeAsync();
            }
        }
    }
}
