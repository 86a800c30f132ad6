using Granary.Inference.Checkpoints;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>How a model is run.</summary>
/// <param name="Dtype">What it computes in and holds its KV in, whatever the checkpoint says.</param>
/// <param name="PageSize">Tokens of a full page, a multiple of 256.</param>
/// <param name="Fingerprints">Where fingerprints of unchanged files and verdicts of the self-test are kept; <see langword="null"/> for the user's cache.</param>
public sealed record ModelLoadOptions(KvDtype Dtype = KvDtype.Float32, int PageSize = KvLayout.DefaultPageSize, FingerprintCache? Fingerprints = null)
{
    /// <summary>Gets how KV is stored, and held.</summary>
    /// <value><c>bfloat16</c> is for float32. Default: none.</value>
    public KvCodec Codec { get; init; }

    internal FingerprintCache Cache => Fingerprints ?? FingerprintCache.Default();

    // Tests put a model between that breaks the promise.
    internal Func<ICausalModel, ICausalModel> Prepare { get; init; } = static model => model;

    // Tests take others than this machine's best.
    internal Func<int, KernelSet> Kernels { get; init; } = KernelSet.Best;
}
