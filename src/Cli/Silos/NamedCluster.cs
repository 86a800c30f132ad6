using Granary.Errors;

namespace Granary.Cli.Silos;

/// <summary>What is about silos needs a cluster: the silo in the command's own process ends with it.</summary>
internal static class NamedCluster
{
    /// <summary>Refuses a command that names no cluster.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: name one.</exception>
    public static void Require(Invocation invocation)
    {
        if (invocation.Settings.Cluster is null)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "No cluster is named.", "Give --cluster redis://HOST:PORT[/SERVICE] or localhost:GATEWAY_PORT, or set Granary:Cluster.");
        }
    }
}
