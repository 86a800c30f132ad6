using System.Globalization;
using Granary.Client;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Errors;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Silos;

/// <summary>A process of <see cref="TwoProcessesOneFolderTests"/> with an embedded silo: this very executable, told to run one explicit test.</summary>
public sealed class AppendClient
{
    private const string Prefix = "GRANARY_APPEND_";
    private const string IsUp = "the embedded silo is up";
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);

    /// <summary>Starts it; it appends as soon as the context is there.</summary>
    /// <param name="store">The folder.</param>
    /// <param name="context">The context's name.</param>
    /// <param name="ids">What it appends, one id after the other.</param>
    internal static ChildProcess Start(string store, string context, (int First, int Count) ids) => ExplicitTest.Start(
        typeof(AppendClient),
        nameof(Append_OneIdAfterTheOther),
        new Dictionary<string, string?>
        {
            [Prefix + "STORE"] = store,
            [Prefix + "CONTEXT"] = context,
            [Prefix + "IDS"] = string.Create(CultureInfo.InvariantCulture, $"{ids.First},{ids.Count}"),
        });

    /// <summary>Waits until its silo has started.</summary>
    internal static Task WaitUntilUpAsync(ChildProcess client, CancellationToken cancellationToken) =>
        client.WaitForLineAsync(static line => line.Contains(IsUp, StringComparison.Ordinal), cancellationToken: cancellationToken);

    [Fact(Explicit = true)]
    public async Task Append_OneIdAfterTheOther()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var ids = ExplicitTest.Told(Prefix + "IDS").Split(',').Select(static number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        await using var silo = await EmbeddedSilo.StartAsync(ExplicitTest.Told(Prefix + "STORE"), cancellationToken);
        TestContext.Current.TestOutputHelper!.WriteLine(IsUp);
        var context = silo.Client.Context("ledger-4m", ExplicitTest.Told(Prefix + "CONTEXT"));
        await WaitUntilThereAsync(context, cancellationToken);
        var newest = 1L;
        foreach (var id in Enumerable.Range(ids[0], ids[1]))
        {
            var appended = (await context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(id) }, cancellationToken).LastAsync(cancellationToken)).Result!;
            Assert.InRange(appended.Version, newest + 1, long.MaxValue);
            newest = appended.Version;
        }
    }

    private static async Task WaitUntilThereAsync(IGranaryContext context, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await context.GetAsync(cancellationToken);
                return;
            }
            catch (GranaryException e) when (e.Code == ErrorCodes.ContextNotFound)
            {
                await Task.Delay(Poll, TimeProvider.System, cancellationToken); // its starter gives up where it never comes
            }
        }
    }
}
