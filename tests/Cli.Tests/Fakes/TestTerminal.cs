using Granary.Cli.Terminals;

namespace Granary.Cli.Tests.Fakes;

internal sealed class TestTerminal : ITerminal
{
    public StringWriter Output { get; } = new() { NewLine = "\n" };

    public StringWriter Errors { get; } = new() { NewLine = "\n" };

    public TextWriter Out => Output;

    public TextWriter Error => Errors;

    public bool OutIsTerminal => false;

    public bool ErrorIsTerminal => false;

    public int Width => 160;
}
