using System.Text.Json;
using Granary.Bench.Common;

namespace Granary.Bench.Engine;

/// <summary>What is read of the document of <c>granary bench engine --json</c>.</summary>
internal sealed record OurRun
{
    public required string Numerics { get; init; }

    public required bool Exact { get; init; }

    public required IReadOnlyList<OurRow> Rows { get; init; }

    /// <summary>Reads the document.</summary>
    /// <exception cref="BenchException">It is none: the command and this benchmark are of different versions.</exception>
    public static OurRun Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<OurRun>(json, JsonSerializerOptions.Web) ?? throw new JsonException("It is null.");
        }
        catch (JsonException e)
        {
            throw new BenchException($"'granary bench engine --json' printed what is not its document: {e.Message} Build this clone's own command.", e);
        }
    }
}

/// <summary>A row of it.</summary>
internal sealed record OurRow
{
    public required string Work { get; init; }

    public required int Tokens { get; init; }

    public required int Asks { get; init; }

    public required bool Shared { get; init; }

    public required IReadOnlyList<double> Seconds { get; init; }

    public required IReadOnlyList<double> FloorSeconds { get; init; }

    public RowKey Key => new(Work, Tokens, Asks, Shared);
}
