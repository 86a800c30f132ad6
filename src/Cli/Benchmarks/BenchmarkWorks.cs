using Granary.Errors;
using Granary.Inference.Benchmarks;

namespace Granary.Cli.Benchmarks;

/// <summary>What <c>bench engine</c> measures, by the names that <c>--works</c> and the document have.</summary>
internal sealed record BenchmarkWorks
{
    /// <summary>Gets the names of all works.</summary>
    public const string All = "load,prefill,one-step,decode,shared";

    private const int SharedAsks = 16;
    private const int SharedTokens = 1500;

    /// <summary>Gets the names that were chosen.</summary>
    public required IReadOnlySet<string> Chosen { get; init; }

    /// <summary>Gets the tokens of the prefills.</summary>
    public required IReadOnlyList<int> PrefillTokens { get; init; }

    /// <summary>Gets the tokens of the decoding asks' contexts.</summary>
    public required IReadOnlyList<int> ContextTokens { get; init; }

    /// <summary>Gets the asks that decode together.</summary>
    public required IReadOnlyList<int> Batches { get; init; }

    /// <summary>Gets the rows. Works that are compared stand side by side, so that they meet the same moment of the machine.</summary>
    public IReadOnlyList<BenchmarkCase> Cases =>
    [
        .. Of("load", new BenchmarkCase(BenchmarkWork.Load, Tokens: 0)),
        .. Of("load", new BenchmarkCase(BenchmarkWork.FirstLoad, Tokens: 0)),
        .. PrefillTokens.SelectMany(tokens => Of("prefill", new BenchmarkCase(BenchmarkWork.Prefill, tokens)).Concat(Of("one-step", new BenchmarkCase(BenchmarkWork.OneStep, tokens)))),
        .. ContextTokens.SelectMany(tokens => Batches.SelectMany(asks => Of("decode", new BenchmarkCase(BenchmarkWork.Decode, tokens, asks)))),
        .. Of("shared", new BenchmarkCase(BenchmarkWork.Decode, SharedTokens, SharedAsks, Shared: true)),
        .. Of("shared", new BenchmarkCase(BenchmarkWork.Decode, SharedTokens, SharedAsks)),
    ];

    /// <summary>Reads <c>--works</c>.</summary>
    /// <param name="text">Names with commas between them.</param>
    /// <returns>The names.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: use the names of <see cref="All"/>.</exception>
    public static IReadOnlySet<string> Parse(string text)
    {
        var known = All.Split(',');
        var chosen = text.Split(',', StringSplitOptions.TrimEntries).ToHashSet(StringComparer.Ordinal);
        return chosen.Except(known).FirstOrDefault() is { } unknown
            ? throw new GranaryException(ErrorCodes.InvalidArgument, $"--works has '{unknown}', which is no work.", $"Give some of {All}.")
            : chosen;
    }

    /// <summary>Gets a work's name in the document.</summary>
    /// <param name="work">The work.</param>
    /// <returns><c>load</c>, <c>first-load</c>, <c>prefill</c>, <c>one-step</c> or <c>decode</c>.</returns>
    public static string Name(BenchmarkWork work) => work switch
    {
        BenchmarkWork.Load => "load",
        BenchmarkWork.FirstLoad => "first-load",
        BenchmarkWork.Prefill => "prefill",
        BenchmarkWork.OneStep => "one-step",
        _ => "decode",
    };

    private IEnumerable<BenchmarkCase> Of(string name, BenchmarkCase row) => Chosen.Contains(name) ? [row] : [];
}
