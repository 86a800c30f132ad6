using System.Text.Json.Serialization;
using Granary.Datasets;

namespace Granary.Cli.Documents;

/// <summary>What <c>dataset precompute</c> and <c>status</c> print (DESIGN §8).</summary>
internal sealed record DatasetDocument(string Dataset, int Items, int Done, int Failed, int Skipped, long PrefilledTokens, long StoredBytes, double Seconds, bool Exact)
{
    /// <summary>Makes the document of a run.</summary>
    /// <param name="status">The run.</param>
    /// <returns>The document.</returns>
    public static DatasetDocument Of(DatasetStatus status) => new(
        status.Dataset,
        status.Items,
        status.Done,
        status.Failed,
        status.Skipped,
        status.PrefilledTokens,
        status.StoredBytes,
        status.Seconds,
        status.Exact);
}

/// <summary>One step of a run.</summary>
internal sealed record DatasetProgressEvent([property: JsonPropertyName("event")] string Event, string Dataset, int Items, int Done, int Failed, int Skipped)
{
    /// <summary>Makes a step's event.</summary>
    /// <param name="status">The run so far.</param>
    /// <returns>The event.</returns>
    public static DatasetProgressEvent Of(DatasetStatus status) =>
        new("progress", status.Dataset, status.Items, status.Done, status.Failed, status.Skipped);
}

/// <summary>What <c>dataset ask</c> prints once its lines are written; it is exact where every answer is.</summary>
internal sealed record DatasetAskedDocument(string Dataset, string Model, int Questions, int Failed, string Out, bool Exact);
