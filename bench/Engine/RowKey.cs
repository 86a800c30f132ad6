namespace Granary.Bench.Engine;

/// <summary>One piece of work, the same for all engines.</summary>
/// <param name="Work"><c>load</c>, <c>first-load</c>, <c>prefill</c>, <c>one-step</c> or <c>decode</c>, as <c>granary bench engine</c> names them.</param>
/// <param name="Tokens">Tokens that are prefilled, or that each context has.</param>
/// <param name="Asks">Asks, or sequences, that decode together.</param>
/// <param name="Shared">Whether they are over one context.</param>
internal sealed record RowKey(string Work, int Tokens, int Asks = 1, bool Shared = false)
{
    public override string ToString() => (Work, Asks, Shared) switch
    {
        ("load", _, _) => "load, fingerprint known",
        ("first-load", _, _) => "load, fingerprint computed",
        ("prefill", _, _) => $"prefill {Tokens}",
        ("one-step", _, _) => $"prefill {Tokens} in one step",
        (_, _, true) => $"decode, {Asks} asks over one context {Tokens}",
        _ => $"decode, batch {Asks}, context {Tokens}",
    };
}
