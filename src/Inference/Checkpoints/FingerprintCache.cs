using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Granary.Inference.Checkpoints;

/// <summary>Fingerprints of checkpoints that have not changed since, one small file each, outside of the checkpoints.</summary>
/// <remarks>The key is path, size, modification time, change time and inode of config.json and every weight file, as they were when they were opened. A cache that cannot be read or written only costs the computation. Two writes of one size within a tick of the kernel's clock (4 ms on most machines) look like one; whoever doubts uses <see cref="Fingerprints.Compute"/>.</remarks>
/// <param name="folder">The cache's folder; made when first written to.</param>
public sealed class FingerprintCache(string folder)
{
    private const string Version = "granary.fingerprint-cache.1";
    private const int FingerprintLength = 64;

    /// <summary>Gets the cache's folder.</summary>
    internal string Folder => folder;

    /// <summary>Gets the user's cache: <c>$XDG_CACHE_HOME/granary</c>, by default <c>~/.cache/granary</c>.</summary>
    /// <returns>The cache.</returns>
    public static FingerprintCache Default()
    {
        // The specification has relative paths ignored. https://specifications.freedesktop.org/basedir-spec
        var home = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        var cache = Path.IsPathRooted(home) ? home : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return new FingerprintCache(Path.Combine(cache, "granary"));
    }

    /// <summary>Finds the fingerprint of a checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <returns>64 hexadecimal digits; <see langword="null"/> if a file is new or changed, or the cache cannot be read.</returns>
    public string? Find(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        try
        {
            var path = PathOf(checkpoint);
            if (!File.Exists(path) || !IsUnchanged(checkpoint))
            {
                return null;
            }

            var text = File.ReadAllText(path);
            return text.Length == FingerprintLength && text.All(char.IsAsciiHexDigitLower) ? text : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps a fingerprint, unless a file was changed while it was computed.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="fingerprint">Its fingerprint.</param>
    internal void Put(Checkpoint checkpoint, string fingerprint)
    {
        try
        {
            if (!IsUnchanged(checkpoint))
            {
                return;
            }

            var path = PathOf(checkpoint);
            Directory.CreateDirectory(folder);
            var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
            File.WriteAllText(temporary, fingerprint);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Read-only homes are common in containers: the next start computes again.
        }
    }

    private static bool IsUnchanged(Checkpoint checkpoint) =>
        checkpoint.WeightFiles.All(file => file.CurrentIdentity() == file.Identity);

    private string PathOf(Checkpoint checkpoint)
    {
        var identities = checkpoint.WeightFiles.Select(file => file.Identity).Prepend(checkpoint.ConfigIdentity);
        var key = string.Join('\n', identities.Select(file => string.Create(
            CultureInfo.InvariantCulture,
            $"{file.Path}\0{file.Size} {file.Modified} {file.Changed} {file.Inode} {file.DeviceMajor}:{file.DeviceMinor}")));
        return Path.Combine(folder, $"fingerprint-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Version}\n{key}")))}");
    }
}
