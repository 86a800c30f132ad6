namespace Granary.Storage.Manifests;

/// <summary>A blob of token ids as a manifest names it.</summary>
/// <param name="Hash">SHA-256 of its domain and its bytes, 64 lower-case hexadecimal digits (<see cref="TokenBlobStore.NameOf"/>).</param>
/// <param name="Count">Its ids. Whatever stands in a file: checked before anything is allocated.</param>
internal sealed record TokenBlobName(string Hash, long Count)
{
    public const int HashLength = 64;

    public static bool IsHash(string? text) => text is { Length: HashLength } && text.All(char.IsAsciiHexDigitLower);
}
