using Granary.Contexts;

namespace Granary.Datasets;

/// <summary>Asks all questions of a data set.</summary>
[GenerateSerializer, Immutable, Alias("granary.dataset-ask")]
public sealed record DatasetAskRequest
{
    /// <summary>Gets how answers are decoded.</summary>
    [Id(0)]
    public GenerationOptions Options { get; init; } = new();

    /// <summary>Gets whether everything is computed, without caches.</summary>
    [Id(1)]
    public bool NoCache { get; init; }

    /// <summary>Gets what the data set must hold; where it holds something else by now, the ask is refused. <see langword="null"/> for whatever it holds.</summary>
    [Id(3)]
    public DatasetContent? Content { get; init; }

    /// <summary>Gets how many questions at the front are left out: those that were answered before.</summary>
    [Id(2)]
    public int Skip { get; init; }
}
