using System.Globalization;
using Granary.Client;
using Granary.Client.Contexts;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Testing.Processes;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>A single process, on a store of its own, that computes anew what a cluster has answered.</summary>
internal sealed class ReferenceAnswers : IAsyncDisposable
{
    private const int AtOnce = 8;
    private readonly ScratchFolder _folder = new();
    private SiloProcess? _silo;
    private GranaryConnection? _connection;

    public static async Task<ReferenceAnswers> StartAsync(CancellationToken cancellationToken)
    {
        var (reference, port) = (new ReferenceAnswers(), LoopbackPort.FindFree());
        reference._silo = await SiloProcess.StartAsync(reference._folder.GetPath("store"), "localhost", cancellationToken, port);
        reference._connection = await SiloProcess.ConnectAsync(string.Create(CultureInfo.InvariantCulture, $"localhost:{port}"), cancellationToken);
        return reference;
    }

    /// <summary>Compares answers with its own.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="idsOf">Gets the ids that a context has, or had when it was deleted.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many were compared, and which differ.</returns>
    public async Task<(int Compared, IReadOnlyList<string> Wrong)> CompareAsync(
        IEnumerable<ChaosAnswer> answers, Func<ChaosContext, int[]?> idsOf, CancellationToken cancellationToken)
    {
        var (compared, wrong) = (0, new List<string>());
        await Parallel.ForEachAsync(
            answers.Select(answer => (Answer: answer, Ids: idsOf(answer.Context))).Where(static pair => pair.Ids?.Length >= pair.Answer.ContextTokens),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (pair, token) =>
            {
                var (answer, ids) = pair;
                var request = new GenerateRequest
                {
                    Context = TokenInput.OfTokens(ids![..answer.ContextTokens]),
                    Prompt = TokenInput.OfTokens(answer.Prompt),
                    Options = answer.Options,
                };
                var expected = await _connection!.Client.GenerateAsync(ChaosClient.Model, request, cancellationToken: token).ToAnswerAsync(token);
                lock (wrong)
                {
                    compared++;
                    if (!expected.TokenIds.SequenceEqual(answer.TokenIds))
                    {
                        wrong.Add($"'{answer.Context.Name}' at {answer.ContextTokens} tokens answered {string.Join(',', answer.TokenIds)}, a single process {string.Join(',', expected.TokenIds)}");
                    }
                }
            });
        return (compared, wrong);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        if (_silo is not null)
        {
            await _silo.DisposeAsync();
        }

        _folder.Dispose();
    }
}
