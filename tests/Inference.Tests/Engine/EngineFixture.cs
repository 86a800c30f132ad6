using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging.Abstractions;

namespace Granary.Inference.Tests.Engine;

/// <summary>One engine for all tests of the assembly, and each model once per dtype.</summary>
public sealed class EngineFixture : IAsyncDisposable
{
    private readonly Dictionary<(string Folder, KvDtype Dtype), Task<LoadedModel>> _models = [];

    private readonly FingerprintCache _fingerprints = new(Path.Combine(AppContext.BaseDirectory, "fingerprints"));

    public DeviceEngine Engine { get; } = new(new EngineOptions { Threads = 2 }, TimeProvider.System, NullLogger.Instance);

    public static string Golden(string path) => Path.Combine(AppContext.BaseDirectory, "Golden", path);

    public Task<LoadedModel> GoldenModelAsync(string name, KvDtype dtype = KvDtype.Float32) => ModelAsync(Golden("models/" + name), dtype);

    public Task<LoadedModel> ModelAsync(string folder, KvDtype dtype = KvDtype.Float32)
    {
        lock (_models)
        {
            if (!_models.TryGetValue((folder, dtype), out var model))
            {
                model = Engine.LoadAsync(folder, Path.GetFileName(folder), new ModelLoadOptions(dtype, Fingerprints: _fingerprints));
                _models[(folder, dtype)] = model;
            }

            return model;
        }
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}
