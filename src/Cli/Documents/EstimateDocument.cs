using System.Text.Json.Serialization;
using Granary.Client.Datasets;

namespace Granary.Cli.Documents;

/// <summary>What <c>dataset estimate</c> prints: pages and bytes as precomputing will count and write them, seconds on one silo, null where none was measured.</summary>
internal sealed record EstimateDocument(
    string Dataset,
    string Model,
    int Items,
    int Failed,
    long Tokens,
    long Pages,
    long DistinctPages,
    long StoredPages,
    long PrefillTokens,
    long StoreBytes,
    long ResidentBytes,
    double? Seconds,
    bool Exact)
{
    /// <summary>Makes the document of an estimate.</summary>
    /// <param name="dataset">The data set's name.</param>
    /// <param name="model">The model id.</param>
    /// <param name="estimate">The estimate.</param>
    /// <returns>The document.</returns>
    public static EstimateDocument Of(string dataset, string model, DatasetEstimate estimate) => new(
        dataset,
        model,
        estimate.Items,
        estimate.Failed,
        estimate.Tokens,
        estimate.Pages,
        estimate.DistinctPages,
        estimate.StoredPages,
        estimate.PrefillTokens,
        estimate.StoreBytes,
        estimate.ResidentBytes,
        estimate.Seconds,
        estimate.Exact);
}

/// <summary>One step of an estimate.</summary>
internal sealed record EstimateProgressEvent([property: JsonPropertyName("event")] string Event, string Dataset, int Items, int Done, int Failed)
{
    /// <summary>Makes a step's event.</summary>
    /// <param name="dataset">The data set's name.</param>
    /// <param name="estimate">The estimate so far.</param>
    /// <returns>The event.</returns>
    public static EstimateProgressEvent Of(string dataset, DatasetEstimate estimate) => new("progress", dataset, estimate.Items, estimate.Done, estimate.Failed);
}
