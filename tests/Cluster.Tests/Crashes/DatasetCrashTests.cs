using System.Globalization;
using Granary.Client.Datasets;
using Granary.Cluster.Tests.Processes;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Crashes;

/// <summary>Data sets whose silo is killed go on elsewhere, by the SDK alone: a run to its end, an ask behind the question that was answered last.</summary>
/// <remarks>Killed is each time the silo that the coordinator lives on: there was no other when it was called first.</remarks>
public sealed class DatasetCrashTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    private const int Items = 40;
    private const int QuestionsEach = 2;
    private const int Sentences = 60;

    [Fact, Trait("Category", "Crash"), Trait("Invariant", "2")]
    public async Task PrecomputeThenAsk_CoordinatorsSiloIsKilledInEach_NoItemFailsAndEachQuestionIsAnsweredOnce()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var (store, cluster) = (azurite.ConnectionString + $"Prefix=dataset{Guid.NewGuid():N}", $"redis://{redis.Address}/dataset");
        var source = DatasetSource.Of(Enumerable.Range(0, Items).Select(ItemOf));
        await using var first = await StartAsync();
        await using var connection = await SiloProcess.ConnectAsync(cluster, cancellationToken, SiloProcess.CrashResponseTimeout);
        var dataset = connection.Client.Dataset("harvests");
        Assert.Equal(ErrorCodes.DatasetNotFound, (await Assert.ThrowsAsync<GranaryException>(() => dataset.GetStatusAsync(cancellationToken))).Code); // its coordinator lives on the first now
        await using var second = await StartAsync();

        DatasetStatus? status = null;
        await foreach (var progress in dataset.PrecomputeAsync(source, "ledger-4m", cancellationToken: cancellationToken))
        {
            status = progress;
            if (progress.Done > 0 && !first.HasExited)
            {
                Assert.InRange(progress.Done, 1, Items / 2); // there is much left to do
                await first.KillAsync(cancellationToken);
            }
        }

        Assert.Equal((true, true, Items, 0), (first.HasExited, status!.Ended, status.Done + status.Skipped, status.Failed));

        // All of it is on the second now. Two stay.
        var others = await Task.WhenAll(StartAsync(), StartAsync());
        await using var third = others[0];
        await using var fourth = others[1];
        var answers = new List<DatasetAnswer>();
        await foreach (var answer in dataset.AskAsync(new DatasetAskRequest { Options = new GenerationOptions { MaxNewTokens = 8, IgnoreEos = true } }, cancellationToken))
        {
            answers.Add(answer);
            if (answers.Count == QuestionsEach + 1)
            {
                await second.KillAsync(cancellationToken);
            }
        }

        Assert.All(answers, static answer => Assert.Null(answer.Failure));
        Assert.Contains(answers, static answer => answer.Answer!.Plan.Decision != "resident"); // elsewhere
        Assert.All(answers, static answer => Assert.Equal(8, answer.Answer!.TokenIds.Length));
        Assert.Equal(
            source.Items.SelectMany(static item => item.Questions.Select(question => (item.Id, question.Id))),
            answers.Select(static answer => (answer.Item, answer.Question.Id)));

        Task<SiloProcess> StartAsync() => SiloProcess.StartAsync(store, cluster, cancellationToken, settings: SiloProcess.CrashSettings);
    }

    // Each begins otherwise: no two share a page.
    private static DatasetItem ItemOf(int number)
    {
        var id = string.Create(CultureInfo.InvariantCulture, $"harvest-{number:D3}");
        var context = $"Report {id}. " + string.Join(' ', Enumerable.Range(0, Sentences).Select(sentence => string.Create(CultureInfo.InvariantCulture, $"The stock of field {sentence} is {(number * 7) + sentence} by decree.")));
        return new DatasetItem(id, context, [.. Enumerable.Range(0, QuestionsEach).Select(question => new DatasetQuestion($"{id}-{question}", $"\nQuestion: What is the stock of field {question}?\nAnswer:", []))]);
    }
}
