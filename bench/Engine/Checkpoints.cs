using System.Globalization;
using Granary.Bench.Peers;

namespace Granary.Bench.Engine;

/// <summary>Random checkpoints of true shapes, made once by the command that is measured.</summary>
internal sealed class Checkpoints(BenchOptions options)
{
    private const int Seed = 1;
    private const int Window = 4096; // 2,048 tokens and an answer

    /// <summary>Gets the tokenizer that the checkpoints and the peer's files have.</summary>
    public string Tokenizer { get; } = Path.Combine(options.Shared, "data", "tokenizer", "20B_tokenizer.json");

    /// <summary>Gets the checkpoint of a shape, making it where it is not there.</summary>
    public async Task<string> GetAsync(string shape, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(options.Folder, $"{shape}-seed-{Seed}-window-{Window}");
        if (Directory.Exists(folder))
        {
            return folder;
        }

        await Console.Error.WriteLineAsync($"making {folder}");
        Directory.CreateDirectory(options.Folder);
        var made = Path.Combine(options.Folder, $".{shape}-{Guid.NewGuid():N}");
        try
        {
            string[] tokenizer = File.Exists(Tokenizer) ? ["--tokenizer", Tokenizer] : [];
            await ChildCommand.RunAsync(
                options.Granary,
                ["model", "create", "--shape", shape, "--seed", Number(Seed), "--window", Number(Window), "--out", made, .. tokenizer],
                cancellationToken);
            Directory.Move(made, folder); // whole or not at all
            return folder;
        }
        finally
        {
            if (Directory.Exists(made))
            {
                Directory.Delete(made, recursive: true);
            }
        }
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
