namespace Granary.Bench.Common;

/// <summary>llama.cpp as <c>shared/peers/llamacpp</c> brings it, on a copy of that folder.</summary>
internal sealed class LlamaCpp
{
    private readonly string _folder;

    private LlamaCpp(string folder) => _folder = folder;

    /// <summary>Gets the folder whose <c>node_modules</c> it is in.</summary>
    public string Modules => Path.Combine(_folder, "peer");

    /// <summary>Gets the peer, installing it where it is not; <see langword="null"/>, and a word on standard error, where this clone has none beside it.</summary>
    /// <param name="shared">The folder with <c>peers/llamacpp</c>.</param>
    /// <param name="folder">Where peers are kept.</param>
    /// <param name="cancellationToken">Stops the installation; the next run does it again.</param>
    /// <exception cref="BenchException">Node.js is missing, or the installation failed.</exception>
    public static async Task<LlamaCpp?> FindAsync(string shared, string folder, CancellationToken cancellationToken)
    {
        var source = Path.Combine(shared, "peers", "llamacpp");
        if (!File.Exists(Path.Combine(source, "setup-peer.sh")))
        {
            await Console.Error.WriteLineAsync($"There is no peer at {source}: ours is measured alone.");
            return null;
        }

        await CheckToolsAsync(cancellationToken);
        var peer = new LlamaCpp(Path.Combine(folder, "llamacpp"));
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
            await RunAsync("neox-to-gguf.mjs", ["--in", checkpoint, "--tokenizer", tokenizer, "--type", weightType, "--out", made], cancellationToken);
            File.Move(made, file, overwrite: true); // whole or not at all
        }

        return file;
    }

    /// <summary>Runs a script of the peer's folder.</summary>
    /// <returns>Its standard output.</returns>
    public Task<string> RunAsync(string script, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        ChildCommand.RunAsync("node", [Path.Combine(_folder, script), .. arguments], cancellationToken);

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
}
