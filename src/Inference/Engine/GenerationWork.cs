using Granary.Inference.Generation;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>An ask, as the engine sees it. Pages and tail are borrowed until the task ends; the engine holds references of its own meanwhile.</summary>
public sealed record GenerationWork
{
    /// <summary>Gets the context's complete pages, in order; none for an empty context.</summary>
    public required IReadOnlyList<KvPage> Pages { get; init; }

    /// <summary>Gets the context's token ids, which only a repetition penalty needs.</summary>
    /// <value>As many as the pages hold. Default: none.</value>
    public ReadOnlyMemory<int> PriorIds { get; init; }

    /// <summary>Gets the prompt.</summary>
    public required int[] PromptIds { get; init; }

    /// <summary>Gets the ids that the answer begins with, chosen before: their rows are decoded, so that the tail becomes what it was, and the next id is chosen.</summary>
    /// <value>Fewer than the new tokens, or all of them. Default: none.</value>
    /// <remarks>DESIGN §3: a resumed ask rebuilds its tail the way it was made. Random numbers are keyed by position, so nothing else has to be carried over.</remarks>
    public ReadOnlyMemory<int> GivenIds { get; init; }

    /// <summary>Gets the ask's own KV: empty, at the context's length, for prompt and new tokens.</summary>
    public required KvTail Tail { get; init; }

    /// <summary>Gets how tokens are chosen.</summary>
    public required SamplingOptions Options { get; init; }

    /// <summary>Gets whether interactive requests go first.</summary>
    public bool Batch { get; init; }

    /// <summary>Gets whether somebody waits for the first token outside of the process's engine.</summary>
    /// <value>Where it is set, and the engine computes on all processors and has nothing else to do, it leaves them for up to a millisecond after that token, for what carries it. Default: <see langword="false"/>.</value>
    public bool Streamed { get; init; }

    /// <summary>Gets who is told of each token, on the device thread: it must be quick and must not throw.</summary>
    public Action<GeneratedToken>? OnToken { get; init; }

    /// <summary>Gets what ends the ask between two steps.</summary>
    public CancellationToken CancellationToken { get; init; }
}
