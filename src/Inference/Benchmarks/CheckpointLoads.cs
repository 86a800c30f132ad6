using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;

namespace Granary.Inference.Benchmarks;

/// <summary>Loads of a checkpoint, and the plain reads of its weight files that they are compared with.</summary>
/// <remarks>Fingerprints and the self-test's verdicts are kept in a folder of its own: what the user's cache knows must not shorten a first load.</remarks>
internal sealed class CheckpointLoads : IDisposable
{
    private readonly DeviceEngine _engine;
    private readonly EngineBenchmarkOptions _options;
    private readonly List<string> _files;
    private readonly byte[] _buffer = new byte[1 << 20];
    private readonly DirectoryInfo _scratch = Directory.CreateTempSubdirectory("granary-bench-");

    public CheckpointLoads(DeviceEngine engine, EngineBenchmarkOptions options)
    {
        (_engine, _options) = (engine, options);
        using var checkpoint = Checkpoint.Open(options.Folder);
        _files = [.. checkpoint.WeightFiles.Select(static file => file.Path)];
    }

    /// <summary>Loads the checkpoint, and unloads it untimed.</summary>
    /// <param name="work">Which of the loads.</param>
    /// <param name="cancellationToken">Ends the load.</param>
    /// <returns>Seconds without the self-test, and those of the self-test: 0 where its verdict was known.</returns>
    public async Task<(double Load, double SelfTest)> LoadAsync(BenchmarkWork work, CancellationToken cancellationToken)
    {
        var cache = new FingerprintCache(Path.Combine(_scratch.FullName, work == BenchmarkWork.Load ? "known" : $"{Guid.NewGuid():N}"));
        var model = await _engine.LoadAsync(_options.Folder, _options.ModelId, new ModelLoadOptions(_options.Dtype, Fingerprints: cache), cancellationToken).ConfigureAwait(false);
        await model.UnloadAsync().ConfigureAwait(false);
        var selfTest = model.SelfTestTime ?? TimeSpan.Zero;
        return ((model.LoadTime - selfTest).TotalSeconds, selfTest.TotalSeconds);
    }

    /// <summary>Reads the weight files as <c>cat FILE &gt; /dev/null</c> does: one after another, on one thread, over and over into a buffer that exists.</summary>
    /// <remarks>A read into new memory is no floor: on virtual machines whose page faults are slow it takes forty times as long.</remarks>
    /// <returns>Seconds.</returns>
    public Task<double> ReadAsync() => Clock.TimeAsync(() => Task.Run(() => _files.ForEach(Read)));

    public void Dispose() => _scratch.Delete(recursive: true);

    private void Read(string path)
    {
        using var file = File.OpenHandle(path);
        for (var offset = 0L; RandomAccess.Read(file, _buffer, offset) is var read && read > 0; offset += read)
        {
        }
    }
}
