using Granary.Cli.Arguments;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Sessions;

/// <summary>Opens sessions, and runs silos and other processes: all that a verb does outside its own memory.</summary>
internal interface IGranarySessions
{
    /// <summary>Connects to the cluster that the settings name, or starts a silo in this process.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="logging">Where logs go.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The session; the caller disposes it.</returns>
    Task<IGranarySession> OpenAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken);

    /// <summary>Runs a silo until it is told to stop.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="logging">Where logs go.</param>
    /// <param name="ready">Gets a line that names the silo and its gateway, once it has joined.</param>
    /// <param name="cancellationToken">Stops it in order.</param>
    /// <returns>A task that ends with the silo.</returns>
    Task ServeAsync(Settings settings, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken);

    /// <summary>Runs this command in another process, its standard error passed on.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="environment">Variables that it has beside this process's.</param>
    /// <param name="error">Gets the lines of its standard error.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <returns>Its exit code.</returns>
    Task<int> RunSelfAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken);
}
