using System.Globalization;
using Granary.Bench.Common;

namespace Granary.Bench.Engine;

/// <summary>llama.cpp, as this benchmark runs it.</summary>
internal sealed class Peer(BenchOptions options, LlamaCpp llamaCpp)
{
    /// <summary>Gets the peer; <see langword="null"/> where it is not wanted, or this clone has none beside it.</summary>
    /// <exception cref="BenchException">Node.js is missing, or the installation failed.</exception>
    public static async Task<Peer?> FindAsync(BenchOptions options, CancellationToken cancellationToken) =>
        options.WithPeer && await LlamaCpp.FindAsync(options.Shared, options.Folder, cancellationToken) is { } found ? new Peer(options, found) : null;

    /// <summary>Gets a checkpoint's weights as the peer reads them, converting them where that has not been done.</summary>
    public Task<string> ConvertAsync(string checkpoint, string weightType, string tokenizer, CancellationToken cancellationToken) =>
        llamaCpp.ConvertAsync(checkpoint, weightType, tokenizer, cancellationToken);

    /// <summary>Runs a unit.</summary>
    /// <returns>The line that it printed.</returns>
    public async Task<string> RunAsync(PeerKind kind, string file, WorkUnit unit, CancellationToken cancellationToken)
    {
        var output = await llamaCpp.RunAsync(
            "llamacpp-bench.mjs",
            ["--modules", llamaCpp.Modules, "--model", file, "--kv", kind.KvType, "--threads", Number(options.Threads), "--reps", Number(options.Repeats), .. unit.Peers],
            cancellationToken);
        return output.TrimEnd('\n').Split('\n')[^1];
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
