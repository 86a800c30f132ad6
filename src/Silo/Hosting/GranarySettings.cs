using Granary.Errors;
using Microsoft.Extensions.Configuration;

namespace Granary.Silo.Hosting;

/// <summary>Reads what a silo is started with.</summary>
internal static class GranarySettings
{
    /// <summary>Reads the section <c>Granary</c>.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: a setting is of the wrong kind, such as a number that is none.</exception>
    public static GranaryOptions Read(IConfiguration configuration)
    {
        try
        {
            return configuration.GetSection("Granary").Get<GranaryOptions>() ?? new GranaryOptions();
        }
        catch (InvalidOperationException e) when (StartFault.Find(e) is { } fault)
        {
            throw fault;
        }
    }
}
