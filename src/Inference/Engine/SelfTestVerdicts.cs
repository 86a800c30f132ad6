using System.Security.Cryptography;
using System.Text;

namespace Granary.Inference.Engine;

/// <summary>What the self-test found for a model's weights under a numerics id, beside the fingerprints.</summary>
/// <remarks>A verdict that cannot be read or written only costs the test.</remarks>
/// <param name="folder">The cache's folder; made when first written to.</param>
internal sealed class SelfTestVerdicts(string folder)
{
    private const string Exact = "exact";
    private const string Inexact = "inexact";

    /// <summary>Gets the verdict, testing where there is none.</summary>
    /// <param name="fingerprint">The model's.</param>
    /// <param name="numerics">All that the bits depend on.</param>
    /// <param name="test">Runs the self-test.</param>
    public bool Get(string fingerprint, NumericsId numerics, Func<bool> test)
    {
        var path = Path.Combine(folder, $"self-test-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{fingerprint}\n{numerics.Id}")))}");
        if (Read(path) is { } verdict)
        {
            return verdict;
        }

        var passes = test();
        Write(path, passes ? Exact : Inexact);
        return passes;
    }

    private static bool? Read(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) switch { Exact => true, Inexact => false, _ => null } : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Write(string path, string verdict)
    {
        try
        {
            Directory.CreateDirectory(folder);
            var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
            File.WriteAllText(temporary, verdict);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Read-only homes are common in containers: the next start tests again.
        }
    }
}
