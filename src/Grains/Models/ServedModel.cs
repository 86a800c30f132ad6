using Granary.Errors;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Models;
using Granary.Storage.Chunks;
using Granary.Storage.Manifests;
using Granary.Storage.Specs;

namespace Granary.Grains.Models;

/// <summary>A model that this silo serves: the loaded weights, and what its id names in the store.</summary>
internal sealed record ServedModel(LoadedModel Loaded, ModelSpec Spec)
{
    /// <summary>Gets the model id.</summary>
    public string Id => Spec.Model;

    /// <summary>Gets the numerics id's value.</summary>
    public string Numerics => Loaded.Numerics.Id;

    /// <summary>Gets whether the promise of equal bits holds for it.</summary>
    public bool IsExact => Loaded.Numerics.Exact;

    /// <summary>Gets the shape of the model's chunks.</summary>
    public ChunkShape Shape { get; } = new(Loaded.Layout.Layers, Loaded.Layout.KvHeads, Loaded.Layout.HeadDim, Loaded.Layout.StoredDtype.Name());

    /// <summary>Gets the chunks of a sequence's pages.</summary>
    /// <param name="salt">Whose the chain is.</param>
    /// <param name="chunkTenant">Under whose prefix the chunks lie.</param>
    /// <param name="ids">The sequence; it is not changed afterwards.</param>
    public ChunkIdentity[] ChainOf(ReadOnlySpan<byte> salt, string chunkTenant, int[] ids) =>
        ChunkChain.Of(salt, Spec.Fingerprint, Numerics, ids, Loaded.Layout.PageSize, chunkTenant, Shape);

    /// <summary>Tells whether a context is that of some ids under this model.</summary>
    /// <param name="manifest">The context.</param>
    /// <param name="ids">The ids.</param>
    public bool IsOf(ContextManifest manifest, int[] ids) => manifest.TokenIds.AsSpan().SequenceEqual(ids) && manifest.Fingerprint == Spec.Fingerprint;

    /// <summary>Gets the refusal of a context that <see cref="IsOf"/> denies.</summary>
    /// <param name="context">What it is called.</param>
    public static GranaryException OtherIds(string context) =>
        new(ErrorCodes.ContextConflict, $"'{context}' exists with other token ids.", "Choose another name, or delete the context first.");

    /// <summary>Gets the contract's description of a spec.</summary>
    public static ModelDescription Describe(ModelSpec spec) => new()
    {
        Model = spec.Model,
        Dtype = spec.Dtype,
        Codec = spec.Codec,
        PageSize = spec.PageSize,
        Fingerprint = spec.Fingerprint,
        TokenizerDigest = spec.TokenizerDigest,
        Window = spec.Window,
        KvBytesPerToken = spec.KvBytesPerToken,
    };
}
