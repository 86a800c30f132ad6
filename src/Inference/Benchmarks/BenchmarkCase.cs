using Granary.Inference.Engine;
using Granary.Inference.Shapes;

namespace Granary.Inference.Benchmarks;

/// <summary>One row of a benchmark: a piece of work and its size.</summary>
/// <param name="Work">What is done.</param>
/// <param name="Tokens">Tokens that are prefilled, or that each ask's context has; 0 for a load.</param>
/// <param name="Asks">Asks that decode together; 1 for a prefill.</param>
/// <param name="Shared">Whether all asks are over one context; otherwise no two share a byte.</param>
public sealed record BenchmarkCase(BenchmarkWork Work, int Tokens, int Asks = 1, bool Shared = false)
{
    /// <summary>Gets what the floor is made of.</summary>
    public string Floor => Work switch
    {
        BenchmarkWork.Decode => "bytes / read rate",
        _ when IsLoad => "a read of the weight files",
        _ => "operations / GEMM rate",
    };

    /// <summary>Gets whether a checkpoint is loaded, and nothing computed with it.</summary>
    internal bool IsLoad => Work is BenchmarkWork.Load or BenchmarkWork.FirstLoad;

    /// <inheritdoc/>
    public override string ToString() => (Work, Asks, Shared) switch
    {
        (BenchmarkWork.Prefill, _, _) => $"prefill, {Tokens} tokens",
        (BenchmarkWork.Load, _, _) => "load, fingerprint known",
        (BenchmarkWork.FirstLoad, _, _) => "load, fingerprint computed",
        (BenchmarkWork.OneStep, _, _) => $"prefill in one step, {Tokens} tokens",
        (_, 1, _) => $"decode step, context {Tokens}",
        (_, _, true) => $"decode step, {Asks} asks over one context {Tokens}",
        _ => $"decode step, {Asks} asks, contexts {Tokens}",
    };

    /// <summary>Gets the tokens that a sequence of the row comes to.</summary>
    internal long SequenceTokens(int steps) => Tokens + (Work == BenchmarkWork.Decode ? 1L + steps : 0);

    /// <summary>Gets the bytes that the row holds beside the sequence that all rows share: KV, or the weights that a load copies.</summary>
    /// <remarks>A double: the product of what a caller may ask for is more than 64 bits count.</remarks>
    internal double OwnBytes(LoadedModel model, int steps) => Work switch
    {
        BenchmarkWork.Decode => model.Layout.BytesPerToken * (((Shared ? 0.0 : Asks - 1.0) * Tokens) + model.Layout.PageSize + ((double)Asks * steps)),
        _ when IsLoad => model.WeightBytes - model.MappedWeightBytes,
        _ => (double)model.Layout.BytesPerToken * model.Layout.PageSize,
    };

    /// <summary>Gets the seconds that no implementation avoids, at measured rates.</summary>
    internal double FloorSeconds(LoadedModel model, int steps, RoundRates rates)
    {
        if (IsLoad)
        {
            return rates.FileReadSeconds;
        }

        if (Work != BenchmarkWork.Decode)
        {
            return WorkFloor.PrefillFlops(model.Config, Tokens) / rates.GemmFlopsPerSecond;
        }

        // A step sees the tokens before it: on average half of the steps' own.
        var own = (steps - 1) / 2.0;
        var seen = ((Shared ? 1.0 : Asks) * Tokens) + (Asks * own);
        return WorkFloor.DecodeBytes(model.Config, model.Layout, model.WeightBytes, seen) / rates.ReadBytesPerSecond;
    }
}
