using Granary.Inference.Engine;

namespace Granary.Bench.FirstLight;

/// <summary>Asks that decode together.</summary>
/// <param name="Tokens">Tokens of each ask's context.</param>
/// <param name="Asks">How many.</param>
/// <param name="Shared">Whether all are over one context; otherwise no two share a byte.</param>
internal sealed record DecodeCase(int Tokens, int Asks, bool Shared)
{
    public string Name => (Asks, Shared) switch
    {
        (1, _) => $"decode step, context {Tokens}",
        (_, true) => $"decode step, {Asks} asks over one context {Tokens}",
        _ => $"decode step, {Asks} asks, contexts {Tokens}",
    };

    /// <summary>Gets the bytes that a step reads at least. A step sees the tokens before it: on average half of the steps' own.</summary>
    public double Bytes(LoadedModel model)
    {
        var own = (InferenceWork.DecodeSteps - 1) / 2.0;
        var contexts = Shared ? 1 : Asks;
        return WorkFloor.DecodeBytes(model.Config, model.Layout, model.WeightBytes, (contexts * Tokens) + (Asks * own));
    }
}
