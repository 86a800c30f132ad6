using Granary.Inference.Pages;

namespace Granary.Inference.Models;

/// <summary>The rows of a step whose logits are computed.</summary>
internal enum LogitRows
{
    /// <summary>None: the step ends at the last layer's keys and values.</summary>
    None,

    /// <summary>The last row.</summary>
    Last,

    /// <summary>All rows.</summary>
    All,
}

/// <summary>KV that a step sees: some tokens of some memory.</summary>
/// <param name="Memory">The memory; borrowed for the step.</param>
/// <param name="Count">How many of its tokens.</param>
/// <param name="Offset">The first of them.</param>
internal readonly record struct KvRun(KvMemory Memory, int Count, int Offset = 0);

/// <summary>One forward step over one sequence.</summary>
internal sealed record ModelStep
{
    /// <summary>Gets the new rows' token ids.</summary>
    public required ReadOnlyMemory<int> TokenIds { get; init; }

    /// <summary>Gets the rotary position of the first row; the others follow.</summary>
    public required int Position { get; init; }

    /// <summary>Gets the KV before the new rows, in order.</summary>
    public required IReadOnlyList<KvRun> Past { get; init; }

    /// <summary>Gets where the new rows' KV goes; <see langword="null"/> where nobody needs it.</summary>
    public KvMemory? Target { get; init; }

    /// <summary>Gets the first token of <see cref="Target"/> that is written.</summary>
    public int TargetOffset { get; init; }

    /// <summary>Gets how many leading tokens of the past are padding, which no row sees.</summary>
    public int LeftPad { get; init; }

    /// <summary>Gets the rows whose logits are computed.</summary>
    public LogitRows Logits { get; init; }
}
