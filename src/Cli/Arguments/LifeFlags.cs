using System.CommandLine;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>What a new context lives by: <c>--ttl</c>, <c>--refresh</c> and <c>--label</c>.</summary>
internal sealed class LifeFlags
{
    private readonly Option<string?> _ttl = new("--ttl") { Description = "How long it lives: 90s, 1h, 7d. Default: until it is deleted." };
    private readonly Option<bool> _refresh = new("--refresh") { Description = "With --ttl: each use starts that time anew." };
    private readonly Option<string[]> _label = new("--label") { Description = "A label, key=value; may be repeated.", HelpName = "LABEL" };

    /// <summary>Gets them.</summary>
    public Symbol[] Symbols => [_ttl, _refresh, _label];

    /// <summary>Reads them.</summary>
    /// <param name="arguments">The command line.</param>
    /// <returns>The values.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: one of them is malformed, or <c>--refresh</c> stands alone.</exception>
    public (TimeSpan? TimeToLive, bool RefreshOnHit, Dictionary<string, string> Labels) Read(ParseResult arguments)
    {
        var ttl = arguments.GetValue(_ttl);
        var refresh = arguments.GetValue(_refresh);
        return refresh && ttl is null
            ? throw new GranaryException(ErrorCodes.InvalidArgument, "--refresh stands without --ttl.", "Add --ttl, or leave --refresh out.")
            : (ttl is null ? null : Durations.Parse("--ttl", ttl), refresh, LabelList.Parse(arguments.GetValue(_label) ?? []));
    }
}
