using Granary.Inference.Shapes;

namespace Granary.Bench.Common;

/// <summary>Checkpoints of true shapes with random weights, made once for all benchmarks.</summary>
internal static class RandomCheckpoints
{
    private const int Seed = 1;
    private const int Window = 4096; // 2,048 tokens and an answer

    /// <summary>Gets the tokenizer that checkpoints and the peer's files have.</summary>
    /// <param name="shared">The folder beside the clone; it may not exist.</param>
    public static string TokenizerOf(string shared) => Path.Combine(shared, "data", "tokenizer", "20B_tokenizer.json");

    /// <summary>Gets where a shape's checkpoint is kept.</summary>
    public static string PathOf(string folder, string shape) => Path.Combine(folder, $"{shape}-seed-{Seed}-window-{Window}");

    /// <summary>Gets the checkpoint of a shape, making it where it is not there.</summary>
    /// <param name="folder">Where checkpoints are kept.</param>
    /// <param name="shape">One of <see cref="PythiaShapes.Names"/>.</param>
    /// <param name="tokenizerFile">A tokenizer to copy; it may not exist.</param>
    /// <param name="cancellationToken">Stops it; nothing is left.</param>
    /// <returns>Its folder.</returns>
    public static async Task<string> GetAsync(string folder, string shape, string? tokenizerFile, CancellationToken cancellationToken)
    {
        var path = PathOf(folder, shape);
        if (Directory.Exists(path))
        {
            return path;
        }

        await Console.Error.WriteLineAsync($"making {path}");
        var config = PythiaShapes.TryGet(shape, out var known) ? known : throw new ArgumentException($"'{shape}' is no shape.", nameof(shape));
        var made = Path.Combine(folder, $".{shape}-{Guid.NewGuid():N}");
        try
        {
            RandomCheckpoint.Create(config with { Window = Window }, Seed, made, File.Exists(tokenizerFile) ? tokenizerFile : null, cancellationToken: cancellationToken);
            Directory.Move(made, path); // whole or not at all
            return path;
        }
        finally
        {
            if (Directory.Exists(made))
            {
                Directory.Delete(made, recursive: true);
            }
        }
    }
}
