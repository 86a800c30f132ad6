using Spectre.Console;

namespace Granary.Cli.Terminals;

/// <summary>Writes rows for people.</summary>
internal static class ResultTable
{
    /// <summary>Writes a table to standard output: with lines on a terminal, aligned columns elsewhere.</summary>
    /// <param name="terminal">Where.</param>
    /// <param name="columns">The headings; one that starts with <c>&gt;</c> is of numbers, aligned right.</param>
    /// <param name="rows">The cells.</param>
    public static void Write(ITerminal terminal, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None };
        foreach (var column in columns)
        {
            var header = new TableColumn(Markup.Escape(column.TrimStart('>'))) { NoWrap = true };
            table.AddColumn(column.StartsWith('>') ? header.RightAligned() : header);
        }

        foreach (var row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        Consoles.Create(terminal.Out, terminal.OutIsTerminal, terminal.Width).Write(table);
    }
}
