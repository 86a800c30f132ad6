using System.Globalization;
using Granary.Client;
using Granary.Client.Contexts;
using Granary.Contexts;
using Granary.Grains.Hosting;
using Granary.Testing;

namespace Granary.Silo.Tests.Outages;

/// <summary>A silo that serves the sample model from a store, and what a caller sees of its contexts.</summary>
internal sealed class OutageSilo : IAsyncDisposable
{
    private const string Model = "ledger-4m";

    private static readonly AskRequest Ask = new()
    {
        Prompt = TokenInput.OfTokens(5, 6, 7),
        Plan = PlanChoice.Load, // which way an answer came must not depend on the machine
        Options = new GenerationOptions { MaxNewTokens = 8, IgnoreEos = true, LogProbabilities = true },
    };

    private readonly EmbeddedGranary _silo;

    private OutageSilo(EmbeddedGranary silo) => _silo = silo;

    public static async Task<OutageSilo> StartAsync(string store, CancellationToken cancellationToken)
    {
        var options = new GranaryOptions { Store = store, Models = { [Model] = new ModelOptions { Path = Repository.GetPath($"models/{Model}") } } };
        return new OutageSilo(await EmbeddedGranary.StartAsync(options, null, null, cancellationToken));
    }

    /// <summary>Draws ids that the sample model knows.</summary>
    public static int[] Ids(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 2048))];
    }

    /// <summary>Gets all bits of an answer that a history could change.</summary>
    public static string Bits(Answer answer) => string.Join(
        ' ', answer.TokenIds.Select(static id => $"{id}").Concat((answer.LogProbabilities ?? []).Select(static value => BitConverter.DoubleToInt64Bits(value).ToString("x16", CultureInfo.InvariantCulture))));

    public IGranaryContext Context(string name) => _silo.Client.Context(Model, name);

    public Task<Answer> AskAsync(string name, CancellationToken cancellationToken) => Context(name).AskToEndAsync(Ask, cancellationToken);

    /// <summary>Answers as if nothing had ever been stored.</summary>
    public async Task<string> ComputeAsync(int[] ids, CancellationToken cancellationToken) => Bits(await _silo.Client
        .GenerateAsync(Model, new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Ask.Prompt, Options = Ask.Options, NoCache = true }, cancellationToken: cancellationToken)
        .ToAnswerAsync(cancellationToken));

    /// <summary>Creates a context, and returns once that is acknowledged.</summary>
    public async Task CreateAsync(string name, int[] ids, CancellationToken cancellationToken)
    {
        ContextCreated? created = null;
        await foreach (var progress in Context(name).CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken))
        {
            created = progress.Result;
        }

        Assert.True(created is { Context.State: "stored" }, $"The creation of '{name}' ended without an acknowledgement.");
    }

    public ValueTask DisposeAsync() => _silo.DisposeAsync();
}
