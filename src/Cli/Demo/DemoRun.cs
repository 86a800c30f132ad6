using Granary.Cli.Datasets;
using Granary.Cli.Documents;
using Granary.Cli.Models;
using Granary.Cli.Terminals;
using Granary.Client;
using Granary.Client.Datasets;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Cli.Demo;

/// <summary>The main job, on the bundled model and data set.</summary>
internal sealed class DemoRun(Invocation invocation, string bundleFolder)
{
    private const string Dataset = "ledgers";
    private const int MaxNewTokens = 8;

    // The demo shows that what is stored answers, even where computing so small a context again were quicker.
    private static readonly Dictionary<string, string> LoadsStoredPages = new() { ["Granary__Plan__Default"] = "load" };

    /// <summary>Runs it.</summary>
    /// <param name="cancellationToken">Cancels it; what is stored stays.</param>
    /// <returns>The figures, and the first difference.</returns>
    public async Task<DemoResult> RunAsync(CancellationToken cancellationToken)
    {
        if (invocation.Settings.Cluster is { } cluster)
        {
            throw new GranaryException(
                ErrorCodes.InvalidArgument,
                $"The demo stops its silo and starts another process, which it cannot do with the cluster '{cluster}'.",
                "Leave --cluster and Granary:Cluster out.");
        }

        var model = ModelReference.Resolve(Path.Combine(bundleFolder, "models", "ledger-4m"), null, null, invocation.Settings);
        var source = DatasetSource.Read(Path.Combine(bundleFolder, "datasets", "ledgers.jsonl"));
        Say($"Store: {invocation.Settings.Store}");
        var (status, noCache, resident) = await AskHereAsync(model, source, cancellationToken);
        Say("Stopped this process's silo. A new process answers from the store.");
        var restored = await AskElsewhereAsync(model, cancellationToken);
        return DemoResult.Of(status, noCache, resident, restored);
    }

    private async Task<(DatasetStatus Status, List<AskedQuestion> NoCache, List<AskedQuestion> Resident)> AskHereAsync(
        ModelReference model,
        DatasetSource source,
        CancellationToken cancellationToken)
    {
        await using var session = await invocation.OpenAsync(model, cancellationToken);
        var dataset = session.Client.Dataset(Dataset, invocation.Settings.Tenant);
        var status = await PrecomputeVerb.RunToEndAsync(invocation.Terminal, dataset, source, model.Id, model.Folder, _ => { }, cancellationToken);
        if (status.Failed > 0)
        {
            var first = status.Failures.FirstOrDefault();
            throw new GranaryException(first?.Code ?? ErrorCodes.DatasetInvalid, $"{status.Failed} of {status.Items} contexts failed: {first?.Message}", "See the message, or choose another --store.");
        }

        Say(status.Done == 0
            ? $"All {status.Skipped} contexts were found stored: nothing was computed."
            : $"{status.Done} contexts computed and stored, {status.Skipped} found stored.");
        var questions = source.Items.Sum(item => item.Questions.Length);
        var noCache = await AskAsync(dataset, "asked without caches", questions, noCache: true, cancellationToken);
        var resident = await AskAsync(dataset, "asked with resident caches", questions, noCache: false, cancellationToken);
        return (status, noCache, resident);
    }

    private Task<List<AskedQuestion>> AskAsync(IGranaryDataset dataset, string title, int questions, bool noCache, CancellationToken cancellationToken) =>
        ProgressReport.RunAsync(invocation.Terminal, title, async report =>
        {
            var request = new DatasetAskRequest
            {
                Options = new GenerationOptions { MaxNewTokens = MaxNewTokens, IgnoreEos = true, LogProbabilities = true },
                NoCache = noCache,
            };
            var asked = new List<AskedQuestion>();
            await foreach (var answer in dataset.AskAsync(request, cancellationToken))
            {
                if (answer.Failure is { } failure)
                {
                    throw new GranaryException(failure.Code, $"'{answer.Question.Id}' failed: {failure.Message}", "See the message, or choose another --store.");
                }

                asked.Add(AskedQuestion.Of(answer));
                report(asked.Count, questions);
            }

            return asked;
        });

    private async Task<List<AskedQuestion>> AskElsewhereAsync(ModelReference model, CancellationToken cancellationToken)
    {
        var answers = Path.Combine(Path.GetTempPath(), $"granary-demo-{Guid.NewGuid():N}.jsonl");
        var errors = new List<string>();
        try
        {
            string[] arguments =
            [
                "dataset", "ask", Dataset, $"--model={model.Folder}", $"--store={invocation.Settings.Store}", $"--out={answers}", "--json",
                "--logprobs=0", $"--max-new-tokens={MaxNewTokens}", "--ignore-eos", .. invocation.Settings.Tenant is { } tenant ? [$"--tenant={tenant}"] : Array.Empty<string>(),
            ];
            var exitCode = await invocation.Sessions.RunSelfAsync(arguments, LoadsStoredPages, errors.Add, cancellationToken);
            return exitCode == 0
                ? [.. File.ReadLines(answers).Select(line => JsonDocuments.Read<AskedQuestion>(line) ?? throw new InvalidDataException($"'{line}' is no answer."))]
                : throw Failed(exitCode, errors);
        }
        finally
        {
            File.Delete(answers);
        }
    }

    private static GranaryException Failed(int exitCode, List<string> errors)
    {
        var told = errors.Where(line => line.StartsWith("{\"error\":", StringComparison.Ordinal)).Select(line => JsonDocuments.Read<ErrorDocument>(line)?.Error).LastOrDefault();
        return new GranaryException(
            told?.Code ?? ErrorCodes.Internal,
            $"The new process ended with {exitCode}: {told?.Message ?? string.Join(" ", errors.TakeLast(3))}",
            told?.Remedy ?? "Run again with -v.");
    }

    // With --json, standard output is the document's alone.
    private void Say(string text) => (invocation.Json ? invocation.Terminal.Error : invocation.Terminal.Out).WriteLine(text);
}
