using System.CommandLine;
using System.CommandLine.Invocation;
using Granary.Cli.Arguments;
using Granary.Cli.Benchmarks;
using Granary.Cli.Contexts;
using Granary.Cli.Datasets;
using Granary.Cli.Demo;
using Granary.Cli.Documents;
using Granary.Cli.Errors;
using Granary.Cli.Models;
using Granary.Cli.Serve;
using Granary.Cli.Silos;
using Granary.Cli.Stores;
using Granary.Errors;

namespace Granary.Cli;

/// <summary>The whole command: its verbs, and what all of them share.</summary>
internal sealed class GranaryCommand
{
    private readonly CommandSurroundings _surroundings;
    private readonly GlobalOptions _common = new();
    private readonly RootCommand _root = new("granary stores KV caches of decoder language models: computed once, kept safe, asked many times.");

    /// <summary>Creates the command.</summary>
    /// <param name="surroundings">Streams, sessions and folders.</param>
    public GranaryCommand(CommandSurroundings surroundings)
    {
        _surroundings = surroundings;
        var verbs = new VerbHost(_common, surroundings);
        _common.AddTo(_root);
        _root.Subcommands.Add(DemoVerb.Create(verbs, surroundings.BundleFolder));
        _root.Subcommands.Add(ServeVerb.Create(verbs));
        _root.Subcommands.Add(ModelVerbs.Create(verbs));
        _root.Subcommands.Add(SizeVerb.Create(verbs));
        _root.Subcommands.Add(TokenizeVerb.Create(verbs));
        _root.Subcommands.Add(ContextVerbs.Create(verbs));
        _root.Subcommands.Add(GenerateVerb.Create(verbs));
        _root.Subcommands.Add(DatasetVerbs.Create(verbs));
        _root.Subcommands.Add(StoreVerbs.Create(verbs));
        _root.Subcommands.Add(SiloVerbs.CreateCluster(verbs));
        _root.Subcommands.Add(SiloVerbs.CreateSilo(verbs));
        _root.Subcommands.Add(BenchVerbs.Create(verbs, surroundings.BundleFolder));
    }

    /// <summary>Runs a command line.</summary>
    /// <param name="arguments">The arguments, without the program's name.</param>
    /// <param name="cancellationToken">Cancels the verb.</param>
    /// <returns>The exit code of DESIGN §8.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        // An argument that starts with @ is ours (IDS), not a response file; -v is never bundled.
        var configuration = new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        var parsed = _root.Parse(GenerationFlags.Normalize(arguments), configuration);
        // A command line with errors cannot be asked for values.
        var json = parsed.Errors.Count == 0 ? parsed.GetValue(_common.Json) : arguments.TakeWhile(argument => argument != "--").Contains("--json");
        if (parsed.Action is ParseErrorAction or null)
        {
            return Refuse(parsed, json);
        }

        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null, // Program hears the signals
                    Output = _surroundings.Terminal.Out,
                    Error = _surroundings.Terminal.Error,
                },
                cancellationToken);
        }
        catch (Exception e)
        {
            // The process's outermost edge: every error becomes a message and an exit code.
            var error = cancellationToken.IsCancellationRequested ? new OperationCanceledException("Cancelled.", e, cancellationToken) : e;
            return ErrorEdge.Report(error, _surroundings.Terminal, json, parsed.GetValue(_common.Verbose));
        }
    }

    private int Refuse(ParseResult parsed, bool json)
    {
        var path = string.Join(' ', PathOf(parsed.CommandResult.Command));
        var message = parsed.Errors.Count > 0 ? string.Join(" ", parsed.Errors.Select(error => error.Message)) : $"'{path}' needs a verb.";
        ErrorEdge.Write(new ErrorFields(ErrorCodes.InvalidArgument, message, $"See {path} --help."), _surroundings.Terminal, json);
        return ErrorCodes.ExitCodeOf(ErrorCodes.InvalidArgument);
    }

    private static IEnumerable<string> PathOf(Command command) =>
        command is RootCommand ? ["granary"] : PathOf(command.Parents.OfType<Command>().First()).Append(command.Name);
}
