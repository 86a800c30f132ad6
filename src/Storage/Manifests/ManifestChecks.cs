using Granary.Storage.Chunks;

namespace Granary.Storage.Manifests;

/// <summary>What must hold of a manifest, before it is written and after it is read.</summary>
internal static class ManifestChecks
{
    private const int MaxNumerics = 64;
    private const int MaxLabels = 256;
    private const int MaxTextLength = 4096;
    private const long MaxVersion = 1L << 53;

    // No page is so large, and all bytes of the most chunks that a manifest can name are still a long.
    private const long MaxChunkBytes = 1L << 36;

    /// <summary>Finds all faults of a manifest.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="tokenIds">Its ids, where they are at hand; empty where their blob has not been read yet.</param>
    /// <param name="tenant">The tenant that it must be of.</param>
    /// <param name="model">The model.</param>
    /// <param name="name">The name.</param>
    public static IEnumerable<string> FaultsOf(ManifestDocument manifest, int[] tokenIds, string tenant, string model, string name)
    {
        if (manifest.FormatVersion != ContextManifest.CurrentFormatVersion)
        {
            yield return $"formatVersion is {manifest.FormatVersion}, this version of Granary reads {ContextManifest.CurrentFormatVersion}";
            yield break; // the rest may mean something else
        }

        if ((manifest.Tenant, manifest.Model, manifest.Name) != (tenant, model, name))
        {
            yield return $"it is that of '{manifest.Tenant}/{manifest.Model}/{manifest.Name}'";
        }

        if (!Guid.TryParseExact(manifest.Incarnation, "N", out _))
        {
            yield return "incarnation is not a GUID of 32 digits";
        }

        if (manifest.Version is < 1 or > MaxVersion)
        {
            yield return $"version is {manifest.Version}, 1 to {MaxVersion} are right";
        }

        if (manifest.State is not (ManifestStates.Accepted or ManifestStates.Stored or ManifestStates.Deleted))
        {
            yield return "state is none of accepted, stored, deleted";
        }

        if (manifest.Fingerprint.Length is 0 or > MaxTextLength)
        {
            yield return $"fingerprint has {manifest.Fingerprint.Length} characters";
        }

        if (manifest is { TokenIds: null, TokenBlob: null } or { TokenIds: not null, TokenBlob: not null })
        {
            yield return $"it has {(manifest.TokenIds is null ? "neither tokenIds nor" : "both tokenIds and")} tokenBlob, one of them is right";
        }

        if (manifest.TokenCount > ContextManifest.MaxTokenIds)
        {
            yield return $"it has {manifest.TokenCount:N0} token ids, {ContextManifest.MaxTokenIds:N0} are allowed";
        }

        if (manifest.TokenBlob is { Count: < 1 })
        {
            yield return $"tokenBlob has {manifest.TokenBlob.Count:N0} ids";
        }

        if (manifest.TokenBlob is { } blob && !TokenBlobName.IsHash(blob.Hash))
        {
            yield return $"tokenBlob's hash is not {TokenBlobName.HashLength} hexadecimal digits";
        }

        if (tokenIds.AsSpan().IndexOfAnyExceptInRange(0, int.MaxValue) >= 0)
        {
            yield return "a token id is negative";
        }

        if (manifest.TruncatedTokens < 0)
        {
            yield return $"truncatedTokens is {manifest.TruncatedTokens}";
        }

        if (manifest.TimeToLive <= TimeSpan.Zero || (manifest.TimeToLive is not null && manifest.Expires is null))
        {
            yield return $"timeToLive is {manifest.TimeToLive}, expires {(manifest.Expires is null ? "absent" : "there")}; it is above zero and beside expires, or absent";
        }

        if (manifest.Chunks.Count > MaxNumerics || manifest.Labels.Count > MaxLabels || manifest.Operations.Count > ContextManifest.MaxOperations)
        {
            yield return $"it has {manifest.Chunks.Count} numerics ids, {manifest.Labels.Count} labels and {manifest.Operations.Count} operations; "
                + $"{MaxNumerics}, {MaxLabels} and {ContextManifest.MaxOperations} are allowed";
        }

        if (manifest.Operations.Any(operation => !IsPossible(operation)))
        {
            yield return $"an operation has no id of 1 to {ContextManifest.MaxOperationIdLength} characters, or no version or ids that there can be";
        }

        foreach (var (numerics, chunks) in manifest.Chunks)
        {
            if (FindFault(chunks, manifest.TokenCount) is { } fault)
            {
                yield return $"chunks of '{numerics}': {fault}";
            }
        }
    }

    // Which ids it added is not compared with those that there are: a tombstone, and the next life of its name, remember what was done to ids that are gone.
    private static bool IsPossible(ManifestOperation? operation) =>
        operation is { OperationId.Length: > 0 and <= ContextManifest.MaxOperationIdLength, Version: >= 1 and <= MaxVersion, Start: >= 0, Count: >= 0 };

    private static string? FindFault(ManifestChunk[] chunks, long tokens)
    {
        var sum = 0L;
        foreach (var chunk in chunks)
        {
            if (chunk is null || !ChunkHash.TryParse(chunk.Hash, out _))
            {
                return "a hash is not 64 hexadecimal digits";
            }

            if (chunk.Count < 1 || chunk.Bytes is < 0 or > MaxChunkBytes)
            {
                return $"one has {chunk.Count} tokens and {chunk.Bytes} bytes";
            }

            if (chunk.Checksum is not null && (chunk.Checksum.Length != ChunkHeader.ChecksumLength || !chunk.Checksum.All(char.IsAsciiHexDigitLower)))
            {
                return $"a checksum is not {ChunkHeader.ChecksumLength} hexadecimal digits";
            }

            sum += chunk.Count;
        }

        return sum > tokens ? $"they hold {sum:N0} tokens, the context has {tokens:N0}" : null;
    }
}
