using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Models;
using Granary.Cli.Sessions;
using Granary.Cli.Terminals;
using Granary.Inference.Engine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Granary.Cli;

/// <summary>One run of one verb: what it was given, and where it writes.</summary>
internal sealed class Invocation(ParseResult arguments, GlobalOptions common, CommandSurroundings surroundings)
{
    private readonly Lazy<Settings> _settings = new(() => Settings.Read(surroundings.Folder, new Dictionary<string, string?>
    {
        ["Store"] = arguments.GetValue(common.Store),
        ["Cluster"] = arguments.GetValue(common.Cluster),
        ["Tenant"] = arguments.GetValue(common.Tenant),
    }));

    /// <summary>Gets the parsed command line.</summary>
    public ParseResult Arguments => arguments;

    /// <summary>Gets the streams.</summary>
    public ITerminal Terminal => surroundings.Terminal;

    /// <summary>Gets what opens sessions.</summary>
    public IGranarySessions Sessions => surroundings.Sessions;

    /// <summary>Gets how a command's own engine loads models; each has a dtype of its own.</summary>
    public ModelLoadOptions Loading => surroundings.Loading;

    /// <summary>Gets the settings.</summary>
    public Settings Settings => _settings.Value;

    /// <summary>Gets whether standard output is JSON.</summary>
    public bool Json => arguments.GetValue(common.Json);

    /// <summary>Gets whether more is told.</summary>
    public bool Verbose => arguments.GetValue(common.Verbose);

    /// <summary>Opens a session, with a model where one is needed.</summary>
    /// <param name="model">The model; <see langword="null"/> for none.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The session; the caller disposes it.</returns>
    public async Task<IGranarySession> OpenAsync(ModelReference? model, CancellationToken cancellationToken)
    {
        var session = await Sessions.OpenAsync(Settings, ConfigureSessionLogging, cancellationToken);
        try
        {
            if (model?.Folder is { } folder)
            {
                await session.LoadModelAsync(model.Id, folder, model.Dtype, model.Codec, cancellationToken);
            }

            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    // A short command's silo may be stopped while its services are still starting. They complain of it, and there is nothing to heal and nobody to act.
    private void ConfigureSessionLogging(ILoggingBuilder logging)
    {
        ConfigureLogging(logging);
        if (!Verbose)
        {
            logging.AddFilter("Orleans", LogLevel.None);
        }
    }

    /// <summary>Sends logs to standard error: Warning and above, Information with <c>-v</c>.</summary>
    /// <param name="logging">The logging.</param>
    public void ConfigureLogging(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(Verbose ? LogLevel.Information : LogLevel.Warning);
        if (!Verbose)
        {
            // It warns about the garbage collector at every start, which a short command cannot act on.
            logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error);

            // At its first look it takes the machine's uptime for the age of a check that never ran.
            logging.AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);

            // A start that failed is told once, by the error; a placement that is tried again has healed.
            logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
            logging.AddFilter("Polly", LogLevel.Error);
        }

        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>Writes the verb's result.</summary>
    /// <typeparam name="T">The document's type.</typeparam>
    /// <param name="document">What <c>--json</c> prints.</param>
    /// <param name="forPeople">Prints it without.</param>
    public void WriteResult<T>(T document, Action<ITerminal> forPeople)
    {
        if (Json)
        {
            WriteJson(document);
        }
        else
        {
            forPeople(Terminal);
        }
    }

    /// <summary>Tells people, on standard error, that equal bits are not promised; with <c>--json</c> the documents say so.</summary>
    /// <param name="exact">Whether they are; then nothing is told.</param>
    /// <param name="what">What was done on the machine that failed its self-test.</param>
    public void NoteUnless(bool exact, string what = "this was computed")
    {
        if (!exact && !Json)
        {
            Terminal.Error.WriteLine($"inexact: the self-test failed where {what}; equal bits are not promised (granary model info, run there, says more).");
        }
    }

    /// <summary>Writes one line of JSON to standard output.</summary>
    /// <typeparam name="T">The document's type.</typeparam>
    /// <param name="document">The document or event.</param>
    public void WriteJson<T>(T document) => Terminal.Out.WriteLine(JsonDocuments.Write(document));
}

/// <summary>What is around a command: a process, or a test.</summary>
/// <param name="Terminal">The streams.</param>
/// <param name="Sessions">What opens sessions.</param>
/// <param name="Folder">The working directory, where settings are looked for.</param>
/// <param name="BundleFolder">Where the bundled model and data set are.</param>
internal sealed record CommandSurroundings(ITerminal Terminal, IGranarySessions Sessions, string Folder, string BundleFolder)
{
    /// <summary>Gets how a command's own engine loads models.</summary>
    public ModelLoadOptions Loading { get; init; } = new();
}
