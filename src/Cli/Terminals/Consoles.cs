using Spectre.Console;

namespace Granary.Cli.Terminals;

/// <summary>Makes Spectre's consoles over our streams.</summary>
internal static class Consoles
{
    /// <summary>Makes a console.</summary>
    /// <param name="writer">Where it writes.</param>
    /// <param name="isTerminal">Whether colours and movement are understood.</param>
    /// <param name="width">Columns.</param>
    /// <returns>The console.</returns>
    public static IAnsiConsole Create(TextWriter writer, bool isTerminal, int width)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isTerminal ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = width;
        return console;
    }
}
