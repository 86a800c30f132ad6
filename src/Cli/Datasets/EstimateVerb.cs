using System.CommandLine;
using System.Globalization;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Client.Datasets;
using Granary.Errors;

namespace Granary.Cli.Datasets;

/// <summary><c>granary dataset estimate</c>.</summary>
internal static class EstimateVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var flags = new DatasetSourceFlags();
        return flags.Verb(verbs, "estimate", "Tells what precomputing a data set would take, and changes nothing.", RunAsync);

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            await using var opened = await flags.OpenAsync(invocation, cancellationToken);
            var (dataset, model) = (opened.Dataset.Id.Name, opened.Model.Id);
            var estimate = await ProgressReport.FollowAsync(
                invocation.Terminal,
                "contexts",
                opened.Dataset.EstimateAsync(opened.Source, model, cancellationToken),
                step =>
                {
                    if (opened.TellsSteps && step.Done < step.Items)
                    {
                        invocation.WriteJson(EstimateProgressEvent.Of(dataset, step));
                    }

                    return (step.Done, step.Items, step);
                },
                () => new GranaryException(ErrorCodes.Unavailable, $"Estimating '{dataset}' ended without a result.", "Run it again."));
            invocation.WriteResult(EstimateDocument.Of(dataset, model, estimate), terminal => Show(terminal, dataset, model, estimate));
            invocation.NoteUnless(estimate.Exact, "this would be computed");
            return estimate.Failed == 0 ? 0 : FailedItems.Report(
                invocation, $"{estimate.Failed} of {estimate.Items} items would fail", estimate.Failures, "Put them right; the estimate is of the others.");
        }
    }

    private static void Show(ITerminal terminal, string dataset, string model, DatasetEstimate estimate)
    {
        terminal.Out.WriteLine(Format($"{dataset} ({model}): {estimate.Items} items, {estimate.Failed} would fail; {estimate.Tokens} tokens in {estimate.Pages} pages, {estimate.DistinctPages} distinct, {estimate.StoredPages} of them stored"));
        terminal.Out.WriteLine(Format($"to compute  {estimate.PrefillTokens} tokens{(estimate.Seconds is { } seconds ? Format($", about {seconds:0.0} s on one silo") : "")}"));
        terminal.Out.WriteLine(Format($"to store    {ByteSizes.Show(estimate.StoreBytes)}"));
        terminal.Out.WriteLine(Format($"in memory   {ByteSizes.Show(estimate.ResidentBytes)}, if all contexts are resident at once"));
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
