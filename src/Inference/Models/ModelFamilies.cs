using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Kernels;
using Granary.Inference.Pages;

namespace Granary.Inference.Models;

/// <summary>The families of decoders that can be run.</summary>
internal static class ModelFamilies
{
    /// <summary>Loads a model; on the device thread.</summary>
    /// <param name="checkpoint">Borrowed; it must outlive the model, whose weights may lie in it.</param>
    /// <param name="dtype">What it runs in.</param>
    /// <param name="team">Shares the kernels' work; borrowed, it must outlive the model.</param>
    /// <param name="kernels">The kernels for elements of some bytes.</param>
    /// <returns>The model; the caller's.</returns>
    public static ICausalModel Load(Checkpoint checkpoint, KvDtype dtype, KernelTeam team, Func<int, KernelSet> kernels) => checkpoint.Config.ModelType switch
    {
        "gpt_neox" => new GptNeoXModel(checkpoint, dtype, team, kernels),
        var other => throw new InferenceException(
            ErrorCode.CheckpointInvalid, $"'{checkpoint.Folder}' holds a model of type '{other}', which cannot be run.", "Use a GPT-NeoX checkpoint, such as Pythia."),
    };
}
