using System.Diagnostics;
using System.Globalization;
using Granary.Bench.Common;

namespace Granary.Bench.Storage;

/// <summary>llama.cpp with one sequence, which it saves and loads when it is told to: it stays, so that rounds can take turns.</summary>
internal sealed class SlotProcess : IAsyncDisposable
{
    private readonly Process _process;

    private SlotProcess(Process process) => _process = process;

    /// <summary>Starts it, and waits until the sequence is computed.</summary>
    /// <param name="modules">The folder with llama.cpp's <c>node_modules</c>.</param>
    /// <param name="model">A GGUF file.</param>
    /// <param name="kvType">What it holds KV in: <c>f16</c> or <c>f32</c>.</param>
    /// <param name="cancellationToken">Ends the wait, and the process.</param>
    /// <exception cref="BenchException">It cannot be started.</exception>
    public static async Task<SlotProcess> StartAsync(string modules, string model, string kvType, CancellationToken cancellationToken)
    {
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "slots.mjs"), "--modules", modules, "--model", model, "--kv", kvType,
            "--tokens", SamplePages.Tokens.ToString(CultureInfo.InvariantCulture),
        ];
        var slot = new SlotProcess(ChildProcesses.Start(new ProcessStartInfo("node", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true }));
        try
        {
            return await slot.ReadLineAsync(cancellationToken) is "ready" ? slot : throw new BenchException("llama.cpp did not compute its sequence; see above.");
        }
        catch
        {
            await slot.DisposeAsync();
            throw;
        }
    }

    /// <summary>Saves the sequence to a file that is not there, without syncing it.</summary>
    /// <returns>Seconds of the call, by the peer's own clock.</returns>
    public Task<double> SaveAsync(string file, CancellationToken cancellationToken) => AskAsync($"save {file}", cancellationToken);

    /// <summary>Loads the sequence from a file, into the memory that it has.</summary>
    /// <returns>Seconds of the call, by the peer's own clock.</returns>
    public Task<double> LoadAsync(string file, CancellationToken cancellationToken) => AskAsync($"load {file}", cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await ChildProcesses.EndAsync(_process);
        _process.Dispose();
    }

    private async Task<double> AskAsync(string line, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync(line.AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
        var answer = await ReadLineAsync(cancellationToken);
        return double.TryParse(answer?.Split(' ')[0], CultureInfo.InvariantCulture, out var milliseconds)
            ? milliseconds / 1000
            : throw new BenchException($"llama.cpp was told '{line}', and answered '{answer}'.");
    }

    private ValueTask<string?> ReadLineAsync(CancellationToken cancellationToken) => _process.StandardOutput.ReadLineAsync(cancellationToken);
}
