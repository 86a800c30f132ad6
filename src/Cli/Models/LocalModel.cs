using Granary.Inference.Engine;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Models;

/// <summary>A model on an engine of the command's own, for verbs without a store.</summary>
internal sealed class LocalModel : IAsyncDisposable
{
    private readonly DeviceEngine _engine;
    private readonly ILoggerFactory _logging;

    private LocalModel(DeviceEngine engine, ILoggerFactory logging, LoadedModel model) => (_engine, _logging, Model) = (engine, logging, model);

    /// <summary>Gets the model.</summary>
    public LoadedModel Model { get; }

    /// <summary>Loads a model.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="reference">The model.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <returns>The model; the caller disposes it.</returns>
    public static async Task<LocalModel> LoadAsync(Invocation invocation, ModelReference reference, CancellationToken cancellationToken)
    {
        var logging = LoggerFactory.Create(invocation.ConfigureLogging);
        var engine = new DeviceEngine(new EngineOptions { Threads = invocation.Settings.Threads }, TimeProvider.System, logging.CreateLogger<DeviceEngine>());
        try
        {
            return new LocalModel(engine, logging, await engine.LoadAsync(reference.RequiredFolder, reference.Id, invocation.Loading with { Dtype = reference.KvDtype, Codec = reference.KvCodec }, cancellationToken));
        }
        catch
        {
            await engine.DisposeAsync();
            logging.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _logging.Dispose();
    }
}
