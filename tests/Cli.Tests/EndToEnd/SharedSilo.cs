using Granary.Cli.Arguments;
using Granary.Cli.Sessions;
using Granary.Client;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>One real embedded silo on one store, which all commands of a test class use: a silo's start is most of a short command's time.</summary>
public sealed class SharedSilo : IAsyncDisposable
{
    private readonly KeptSessions _sessions = new();

    /// <summary>Gets the folder and the store.</summary>
    public Workplace Place { get; } = new();

    internal Task<CommandRun> RunAsync(params string[] arguments) => CommandRun.RunAsync(Place.Folder, _sessions, [.. arguments, "--store", Place.Store, "--json"]);

    public async ValueTask DisposeAsync()
    {
        await _sessions.DisposeAsync();
        Place.Dispose();
    }

    private sealed class KeptSessions : IGranarySessions, IAsyncDisposable
    {
        private readonly GranarySessions _real = new();
        private readonly SemaphoreSlim _gate = new(1, 1);
        private IGranarySession? _session;

        public async Task<IGranarySession> OpenAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken)
        {
            await _gate.WaitAsync(cancellationToken);
            try
            {
                return new Lent(_session ??= await _real.OpenAsync(settings, logging, cancellationToken));
            }
            finally
            {
                _gate.Release();
            }
        }

        public Task ServeAsync(Settings settings, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken) =>
            _real.ServeAsync(settings, logging, ready, cancellationToken);

        public Task<int> RunSelfAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken) =>
            _real.RunSelfAsync(arguments, environment, error, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            _gate.Dispose();
            if (_session is { } session)
            {
                await session.DisposeAsync();
            }
        }
    }

    /// <summary>The session, which its borrower cannot end.</summary>
    private sealed class Lent(IGranarySession session) : IGranarySession
    {
        public IGranaryClient Client => session.Client;

        public Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken) =>
            session.LoadModelAsync(modelId, folder, dtype, codec, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
