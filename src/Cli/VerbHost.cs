using System.CommandLine;
using Granary.Cli.Arguments;

namespace Granary.Cli;

/// <summary>Ties verbs to what they do.</summary>
internal sealed class VerbHost(GlobalOptions common, CommandSurroundings surroundings)
{
    /// <summary>Makes a verb.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="run">Does it; the result is the exit code.</param>
    /// <param name="symbols">Its own options and arguments.</param>
    /// <returns>The command.</returns>
    public Command Verb(string name, string description, Func<Invocation, CancellationToken, Task<int>> run, params ReadOnlySpan<Symbol> symbols)
    {
        var command = new Command(name, description);
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
            {
                command.Arguments.Add(argument);
            }
            else if (symbol is Option option)
            {
                command.Options.Add(option);
            }
        }

        command.SetAction((arguments, cancellationToken) => run(new Invocation(arguments, common, surroundings), cancellationToken));
        return command;
    }
}
