using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>What one client's SDK logs, with when it was: it tells why a call took long.</summary>
internal sealed class ChaosJournal : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<(long At, string Line)> _lines = [];

    /// <summary>Tells what was logged during a call, in seconds since it began.</summary>
    public IEnumerable<string> Find(long began, long ended)
    {
        var clock = TimeProvider.System;
        return _lines
            .Where(line => clock.GetElapsedTime(began, line.At) >= TimeSpan.Zero && clock.GetElapsedTime(line.At, ended) >= TimeSpan.Zero)
            .Select(line => string.Create(CultureInfo.InvariantCulture, $"{clock.GetElapsedTime(began, line.At).TotalSeconds:F2} {line.Line}"));
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue((TimeProvider.System.GetTimestamp(), formatter(state, exception).Split('\n')[0])); // stack traces stand in some messages

    public void Dispose()
    {
    }
}
