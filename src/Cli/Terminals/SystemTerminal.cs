using System.Text;

namespace Granary.Cli.Terminals;

/// <summary>The process's own streams, in UTF-8 without a byte order mark.</summary>
internal sealed class SystemTerminal : ITerminal
{
    private const int PipeWidth = 160;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <inheritdoc/>
    public TextWriter Out { get; } = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardOutput(), Utf8) { AutoFlush = true, NewLine = "\n" });

    /// <inheritdoc/>
    public TextWriter Error { get; } = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardError(), Utf8) { AutoFlush = true, NewLine = "\n" });

    /// <inheritdoc/>
    public bool OutIsTerminal => !Console.IsOutputRedirected;

    /// <inheritdoc/>
    public bool ErrorIsTerminal => !Console.IsErrorRedirected;

    /// <inheritdoc/>
    public int Width
    {
        get
        {
            if (Console.IsOutputRedirected)
            {
                return PipeWidth;
            }

            try
            {
                return Console.WindowWidth > 0 ? Console.WindowWidth : PipeWidth;
            }
            catch (IOException)
            {
                return PipeWidth;
            }
        }
    }
}
