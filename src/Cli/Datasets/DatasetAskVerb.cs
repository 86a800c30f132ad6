using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Cli.Models;
using Granary.Cli.Terminals;
using Granary.Client;
using Granary.Datasets;
using Granary.Errors;
using Granary.Naming;

namespace Granary.Cli.Datasets;

/// <summary><c>granary dataset ask</c>.</summary>
internal static class DatasetAskVerb
{
    private static readonly string[] DtypesInIds = ["bfloat16", "float64"];

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = DatasetVerbs.Name();
        var output = new Option<string>("--out") { Description = "File for the answers, one line a question.", Required = true };
        var noCache = new Option<bool>("--no-cache") { Description = "Compute everything; leave stored and resident pages alone." };
        var model = new ModelFlags();
        var generation = new GenerationFlags();
        var command = verbs.Verb("ask", "Asks all questions of a data set.", RunAsync, name, output, noCache);
        model.AddTo(command, required: false);
        generation.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var path = arguments.GetRequiredValue(output);
            var request = new DatasetAskRequest { Options = generation.Read(arguments), NoCache = arguments.GetValue(noCache) };
            var named = Names.Check("data set", arguments.GetRequiredValue(name));
            var reference = model.Find(arguments, invocation.Settings);
            await using var session = await invocation.OpenAsync(null, cancellationToken);
            var dataset = session.Client.Dataset(named, invocation.Settings.Tenant);
            var status = await dataset.GetStatusAsync(cancellationToken);
            var used = Agree(reference, status) ?? Recorded(status, model.Dtype(arguments), invocation.Settings);
            if (used.Folder is { } folder)
            {
                await session.LoadModelAsync(used.Id, folder, used.Dtype, used.Codec, cancellationToken);
            }

            var asked = await OutputFile.ReplaceAsync(path, temporary => WriteAsync(invocation.Terminal, dataset, request, status, temporary, path, cancellationToken));
            invocation.WriteResult(asked, terminal => terminal.Out.WriteLine($"{asked.Questions - asked.Failed} of {asked.Questions} questions answered: {asked.Out}"));
            invocation.NoteUnless(asked.Exact);
            return asked.Failed == 0 ? 0 : ReportFailures(invocation, asked);
        }
    }

    private static async Task<DatasetAskedDocument> WriteAsync(
        ITerminal terminal,
        IGranaryDataset dataset,
        DatasetAskRequest request,
        DatasetStatus status,
        string temporary,
        string path,
        CancellationToken cancellationToken)
    {
        var (questions, failed, exact) = (0, 0, true);
        var items = new HashSet<string>(StringComparer.Ordinal);
        await using var lines = new StreamWriter(temporary) { NewLine = "\n" };
        return await ProgressReport.RunAsync(terminal, "contexts asked", async report =>
        {
            await foreach (var answer in dataset.AskAsync(request, cancellationToken))
            {
                await lines.WriteLineAsync(AnswerDocument.LineOf(answer).ToJsonString(JsonDocuments.LineOptions).AsMemory(), cancellationToken);
                questions++;
                failed += answer.Answer is null ? 1 : 0;
                exact &= answer.Answer is not { Exact: false };
                items.Add(answer.Item);
                report(items.Count, status.Items);
            }

            await lines.FlushAsync(cancellationToken);
            return new DatasetAskedDocument(status.Dataset, status.Model, questions, failed, path, exact);
        });
    }

    private static ModelReference? Agree(ModelReference? given, DatasetStatus status) => given is null || given.Id == status.Model
        ? given
        : throw new GranaryException(
            ErrorCodes.InvalidArgument,
            $"'{status.Dataset}' was precomputed with the model '{status.Model}', not '{given.Id}'.",
            $"Leave --model out, or name that model's folder with --model-id {status.Model}.");

    // A model of the settings is what they say. Else the folder is the one that the data set was precomputed with; its dtype is in the id, as ModelOfFolder put it there.
    private static ModelReference Recorded(DatasetStatus status, string? dtype, Settings settings)
    {
        if (settings.Cluster is not null || status.ModelFolder is null || settings.Models.ContainsKey(status.Model))
        {
            return ModelReference.Resolve(status.Model, dtype, null, settings);
        }

        var recorded = DtypesInIds.FirstOrDefault(name => status.Model.EndsWith("-" + name, StringComparison.Ordinal)) ?? "float32";
        return Directory.Exists(status.ModelFolder)
            ? new ModelReference(status.Model, status.ModelFolder, dtype ?? recorded)
            : throw new GranaryException(
                ErrorCodes.ModelNotFound,
                $"'{status.Dataset}' was precomputed with the folder '{status.ModelFolder}', which is not there.",
                $"Give its new place with --model FOLDER --model-id {status.Model}.");
    }

    private static int ReportFailures(Invocation invocation, DatasetAskedDocument asked)
    {
        ErrorEdge.Write(
            new ErrorFields(ErrorCodes.DatasetInvalid, $"{asked.Failed} of {asked.Questions} questions failed.", $"Their lines in '{asked.Out}' say why."),
            invocation.Terminal,
            invocation.Json);
        return ErrorCodes.ExitCodeOf(ErrorCodes.DatasetInvalid);
    }
}
