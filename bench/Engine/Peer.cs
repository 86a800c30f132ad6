using System.Globalization;

namespace Granary.Bench.Engine;

/// <summary>llama.cpp as <c>shared/peers/llamacpp</c> brings it, on a copy of that folder.</summary>
internal sealed class Peer
{
    private readonly BenchOptions _options;
    private readonly string _folder;

    private Peer(BenchOptions options) => (_options, _folder) = (options, FolderOf(options));

    private string Modules => Path.Combine(_folder, "peer");

    /// <summary>Gets the peer, installing it where it is not; <see langword="null"/>, and a word on standard error, where this clone has none beside it.</summary>
    /// <exception cref="BenchException">Node.js is missing, or the installation failed.</exception>
    public static async Task<Peer?> FindAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        var source = Path.Combine(options.Shared, "peers", "llamacpp");
        if (!options.WithPeer)
        {
            return null;
        }

        if (!File.Exists(Path.Combine(source, "setup-peer.sh")))
        {
            await Console.Error.WriteLineAsync($"There is no peer at {source}: ours is measured alone.");
            return null;
        }

        await CheckToolsAsync(cancellationToken);
        var peer = new Peer(options);
        Directory.CreateDirectory(peer._folder);
        foreach (var file in Directory.GetFiles(source))
        {
            File.Copy(file, Path.Combine(peer._folder, Path.GetFileName(file)), overwrite: true);
        }

        var installed = Path.Combine(peer._folder, ".installed");
        if (!File.Exists(installed))
        {
            await Console.Error.WriteLineAsync($"installing llama.cpp from npm into {peer.Modules}");
            await ChildCommand.RunAsync("bash", [Path.Combine(peer._folder, "setup-peer.sh"), peer.Modules], cancellationToken);
            await File.WriteAllTextAsync(installed, "", cancellationToken); // last: an installation that was stopped is done again
        }

        return peer;
    }

    /// <summary>Gets a checkpoint's weights as the peer reads them, converting them where that has not been done.</summary>
    public async Task<string> ConvertAsync(string checkpoint, string weightType, string tokenizer, CancellationToken cancellationToken)
    {
        var file = $"{checkpoint}-{weightType}.gguf";
        if (!File.Exists(file))
        {
            await Console.Error.WriteLineAsync($"making {file}");
            var made = file + ".part";
            await NodeAsync("neox-to-gguf.mjs", ["--in", checkpoint, "--tokenizer", tokenizer, "--type", weightType, "--out", made], cancellationToken);
            File.Move(made, file, overwrite: true); // whole or not at all
        }

        return file;
    }

    /// <summary>Runs a unit.</summary>
    /// <returns>The line that it printed.</returns>
    public async Task<string> RunAsync(PeerKind kind, string file, WorkUnit unit, CancellationToken cancellationToken)
    {
        var output = await NodeAsync(
            "llamacpp-bench.mjs",
            ["--modules", Modules, "--model", file, "--kv", kind.KvType, "--threads", Number(_options.Threads), "--reps", Number(_options.Repeats), .. unit.Peers],
            cancellationToken);
        return output.TrimEnd('\n').Split('\n')[^1];
    }

    private static string FolderOf(BenchOptions options) => Path.Combine(options.Folder, "llamacpp");

    private static async Task CheckToolsAsync(CancellationToken cancellationToken)
    {
        foreach (var tool in new[] { "node", "npm" })
        {
            try
            {
                await ChildCommand.RunAsync(tool, ["--version"], cancellationToken);
            }
            catch (BenchException e)
            {
                throw new BenchException($"The peer needs {tool}. {e.Message} Install Node.js 20 or newer, or measure ours alone with --no-peer.", e);
            }
        }
    }

    private Task<string> NodeAsync(string script, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        ChildCommand.RunAsync("node", [Path.Combine(_folder, script), .. arguments], cancellationToken);

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
