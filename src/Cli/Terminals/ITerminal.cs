namespace Granary.Cli.Terminals;

/// <summary>The streams that a command writes to.</summary>
internal interface ITerminal
{
    /// <summary>Gets standard output: results.</summary>
    TextWriter Out { get; }

    /// <summary>Gets standard error: progress, logs and errors.</summary>
    TextWriter Error { get; }

    /// <summary>Gets whether standard output is a terminal, so that tables may have lines and colours.</summary>
    bool OutIsTerminal { get; }

    /// <summary>Gets whether standard error is a terminal, so that bars may move.</summary>
    bool ErrorIsTerminal { get; }

    /// <summary>Gets the columns of a line.</summary>
    int Width { get; }
}
