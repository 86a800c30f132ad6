using Granary.Inference.Checkpoints;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Engine;

/// <summary>How a checkpoint becomes a model: read and checked beside the device thread, converted on it.</summary>
internal static class ModelLoading
{
    public static async Task<LoadedModel> LoadAsync(DeviceEngine engine, string folder, string modelId, ModelLoadOptions options, CancellationToken cancellationToken)
    {
        var started = engine.Time.GetTimestamp();
        var source = await CheckpointSource.OpenAsync(folder, options.Cache, cancellationToken).ConfigureAwait(false);
        var isTaken = false;
        try
        {
            var load = new SingleStep<LoadedModel>(
                () =>
                {
                    isTaken = true;
                    return LoadOnDevice(engine, source, modelId, options, started);
                },
                batch: false,
                cancellationToken);
            return await engine.RunAsync(load).ConfigureAwait(false);
        }
        catch when (!isTaken)
        {
            source.Dispose(); // the step never ran
            throw;
        }
    }

    private static LoadedModel LoadOnDevice(DeviceEngine engine, CheckpointSource source, string modelId, ModelLoadOptions options, long started)
    {
        var device = engine.LoadOnDevice(source, options.Dtype, options.Kernels);
        try
        {
            return new LoadedModel(engine, device, modelId, options, started);
        }
        catch
        {
            engine.UnloadOnDevice(device);
            throw;
        }
    }
}

/// <summary>What a model's folder gives.</summary>
internal sealed record CheckpointSource(Checkpoint Checkpoint, TextTokenizer? Tokenizer, string Fingerprint) : IDisposable
{
    public static async Task<CheckpointSource> OpenAsync(string folder, FingerprintCache cache, CancellationToken cancellationToken)
    {
        var checkpoint = await Task.Run(() => Checkpoint.Open(folder), CancellationToken.None).ConfigureAwait(false);
        try
        {
            using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var fingerprint = Task.Run(() => Fingerprints.Get(checkpoint, cache, progress: null, failed.Token), CancellationToken.None);
            try
            {
                var tokenizer = await Task.Run(() => TextTokenizer.Load(folder), cancellationToken).ConfigureAwait(false);
                return new CheckpointSource(checkpoint, tokenizer, await fingerprint.ConfigureAwait(false));
            }
            catch
            {
                await failed.CancelAsync().ConfigureAwait(false); // nobody reads gigabytes for a tokenizer that is broken
                await ((Task)fingerprint).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it ends before the files are closed
                throw;
            }
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public void Dispose() => Checkpoint.Dispose();
}
