using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Models;

namespace Granary.Cli.Models;

/// <summary><c>granary model list</c>.</summary>
internal static class ModelListVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs) => verbs.Verb("list", "Lists the models of the settings and of the store.", async (invocation, cancellationToken) =>
    {
        await using var session = await invocation.OpenAsync(null, cancellationToken);
        var stored = (await session.Client.ListModelsAsync(invocation.Settings.Tenant, cancellationToken)).ToDictionary(model => model.Model, StringComparer.Ordinal);
        var configured = invocation.Settings.Models;
        List<ModelListDocument> models =
        [
            .. stored.Keys.Union(configured.Keys).Order(StringComparer.Ordinal).Select(id => Describe(id, configured.GetValueOrDefault(id), stored.GetValueOrDefault(id))),
        ];
        invocation.WriteResult(models, terminal => Show(terminal, models));
        foreach (var model in models)
        {
            invocation.NoteUnless(model.Exact ?? true, $"{model.Model} is served");
        }

        return 0;
    });

    private static ModelListDocument Describe(string id, ConfiguredModel? configured, ModelDescription? stored) => new(
        id,
        configured is not null,
        stored is not null,
        configured?.Path,
        stored?.Dtype ?? configured?.Dtype ?? "float32",
        stored?.Codec ?? configured?.Codec ?? "none",
        stored?.PageSize,
        stored?.Fingerprint,
        stored?.TokenizerDigest,
        stored?.Numerics,
        stored?.Exact,
        stored?.Window,
        stored?.KvBytesPerToken,
        stored?.Silos ?? []);

    private static void Show(ITerminal terminal, List<ModelListDocument> models)
    {
        if (models.Count == 0)
        {
            terminal.Out.WriteLine("No models.");
            return;
        }

        ResultTable.Write(terminal, ["model", "dtype", ">window", ">KV a token", "stored", "path"], models.Select(model => new[]
        {
            model.Model,
            model.Dtype ?? "",
            $"{model.Window}",
            model.KvBytesPerToken is { } bytes ? ByteSizes.Show(bytes) : "",
            model.Stored ? "yes" : "no",
            model.Path ?? "",
        }));
    }
}
