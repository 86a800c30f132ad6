using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Checkpoints;

/// <summary>The hash of all of a checkpoint that its answers depend on, so that KV is shared by equal models only.</summary>
/// <remarks>
/// What counts: every field of <see cref="ModelConfig"/>, and name, dtype, shape and bytes of every tensor that the model needs.
/// Sizes, rotary embedding, norms, activation, residual, biases and tied embeddings change keys, values or logits. The window and the end-of-text token change no key, but what is
/// refused and where an answer ends; a model id must mean one behaviour, so they count too.
/// What does not: fields that no forward pass reads (<c>torch_dtype</c>, <c>transformers_version</c>, <c>initializer_range</c>), which spelling a field has, buffers of old checkpoints,
/// and how tensors are spread over files.
/// A tensor's hash is XxHash128, which is quick and not safe against forgery; the tenant's salt (DESIGN §4.12), not this, keeps tenants apart.
/// </remarks>
public static class Fingerprints
{
    private const string Version = "granary.fingerprint.1";
    private const int SliceBytes = 1 << 19; // read and hashed while it is in the cache

    /// <summary>Reads all weights and hashes them, one tensor a thread.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="progress">Is told the bytes hashed so far, of <see cref="Checkpoint.WeightBytes"/>; <see langword="null"/> for none.</param>
    /// <param name="cancellationToken">Stops it within a few megabytes.</param>
    /// <returns>64 hexadecimal digits.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="InferenceException"><c>CheckpointInvalid</c>: a weight file cannot be read any more.</exception>
    public static string Compute(Checkpoint checkpoint, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var tensors = checkpoint.TensorNames.Order(StringComparer.Ordinal).Select(checkpoint.Get).ToArray();
        var hashes = new byte[tensors.Length][];
        var done = 0L;
        ParallelReads.Run(
            tensors.Length,
            index => hashes[index] = Hash(tensors[index], bytes => progress?.Report(Interlocked.Add(ref done, bytes)), cancellationToken),
            cancellationToken);

        using var combined = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(combined, Encoding.UTF8.GetBytes(Version));
        Append(combined, Encoding.UTF8.GetBytes(Canonical(checkpoint.Config)));
        for (var index = 0; index < tensors.Length; index++)
        {
            Append(combined, Encoding.UTF8.GetBytes($"{tensors[index].Name} {tensors[index].Dtype.Name()} [{string.Join(',', tensors[index].Shape)}]"));
            Append(combined, hashes[index]);
        }

        return Convert.ToHexStringLower(combined.GetHashAndReset());
    }

    /// <summary>Gets the fingerprint from the cache, or computes it and leaves it there.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="progress">As in <see cref="Compute"/>; told nothing where the cache knows.</param>
    /// <param name="cancellationToken">As in <see cref="Compute"/>.</param>
    /// <returns>64 hexadecimal digits.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static string Get(Checkpoint checkpoint, FingerprintCache cache, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(cache);
        if (cache.Find(checkpoint) is { } known)
        {
            return known;
        }

        var fingerprint = Compute(checkpoint, progress, cancellationToken);
        cache.Put(checkpoint, fingerprint);
        return fingerprint;
    }

    /// <summary>Computes the fingerprint whatever the cache says, and puts the cache right where it says something else: weights were replaced without a trace.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="progress">As in <see cref="Compute"/>.</param>
    /// <param name="cancellationToken">As in <see cref="Compute"/>.</param>
    /// <returns>64 hexadecimal digits, and those that the cache had, if any.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static (string Fingerprint, string? Cached) Verify(
        Checkpoint checkpoint, FingerprintCache cache, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(cache);
        var cached = cache.Find(checkpoint);
        var fingerprint = Compute(checkpoint, progress, cancellationToken);
        if (cached != fingerprint)
        {
            cache.Put(checkpoint, fingerprint);
        }

        return (fingerprint, cached);
    }

    /// <summary>Writes a configuration so that equal ones are equal texts: one field a line, in a fixed order, numbers in their shortest round-trip form.</summary>
    internal static string Canonical(ModelConfig config) => string.Create(CultureInfo.InvariantCulture, $"""
        model_type={config.ModelType}
        layers={config.Layers}
        hidden_size={config.HiddenSize}
        heads={config.Heads}
        kv_heads={config.KvHeads}
        head_dim={config.HeadDim}
        intermediate_size={config.IntermediateSize}
        vocabulary_size={config.VocabularySize}
        window={config.Window}
        rotary_dimensions={config.RotaryDimensions}
        rotary_base={config.RotaryBase:R}
        layer_norm_epsilon={config.LayerNormEpsilon:R}
        activation={config.Activation}
        parallel_residual={config.ParallelResidual}
        tied_embeddings={config.TiedEmbeddings}
        attention_bias={config.AttentionBias}
        eos_token_id={config.EosTokenId}
        """);

    private static byte[] Hash(SafetensorsTensor tensor, Action<long> hashed, CancellationToken cancellationToken)
    {
        var hash = new XxHash128();
        var buffer = ArrayPool<byte>.Shared.Rent(SliceBytes);
        try
        {
            for (var offset = 0L; offset < tensor.Bytes; offset += SliceBytes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var slice = buffer.AsSpan(0, (int)Math.Min(SliceBytes, tensor.Bytes - offset));
                tensor.Read(offset, slice);
                hash.Append(slice);
                hashed(slice.Length);
            }

            return hash.GetCurrentHash();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }
}
