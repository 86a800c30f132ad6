
namespace Granary.Datasets;

/// <summary>Starts a run over a data set whose items were put before.</summary>
[GenerateSerializer, Immutable, Alias("granary.precompute")]
public sealed record PrecomputeRequest
{
    /// <summary>Gets the digest of the data set.</summary>
    [Id(0)]
    public required string Digest { get; init; }

    /// <summary>Gets the model id.</summary>
    [Id(1)]
    public required string Model { get; init; }

    /// <summary>Gets the readable items.</summary>
    [Id(2)]
    public required int Items { get; init; }

    /// <summary>Gets the lines that could not be read; they count as failed.</summary>
    [Id(3)]
    public DatasetFailure[] Unreadable { get; init; } = [];

    /// <summary>Gets the checkpoint folder, for a later command that embeds a silo.</summary>
    [Id(4)]
    public string? ModelFolder { get; init; }

    /// <summary>
    /// Gets the run's id: whoever sends it again joins that run, or is told how it ended. Where a run of the same content goes on, that one is joined, and <see cref="DatasetStatus.Run"/> has its id.
    /// <see langword="null"/> joins the run that goes on, or starts one.
    /// </summary>
    [Id(5)]
    public Guid? Run { get; init; }
}
