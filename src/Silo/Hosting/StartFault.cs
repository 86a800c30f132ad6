using Granary.Errors;
using Microsoft.Extensions.Options;

namespace Granary.Silo.Hosting;

/// <summary>Finds, in what a host throws while it starts, the fault that a user can mend.</summary>
internal static class StartFault
{
    /// <summary>Finds the fault.</summary>
    /// <returns>The error to show; <see langword="null"/> where the exception is none of ours.</returns>
    public static GranaryException? Find(Exception? error)
    {
        for (; error is not null; error = error.InnerException)
        {
            switch (error)
            {
                case GranaryException fault:
                    return fault;
                case OptionsValidationException faults:
                    return new GranaryException(ErrorCodes.InvalidArgument, string.Join(" ", faults.Failures), "Correct the settings.", faults);
                case InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } setting:
                    return new GranaryException(ErrorCodes.InvalidArgument, setting.Message, "Correct the setting, in appsettings.json or the environment.", setting);
                case AggregateException { InnerExceptions.Count: > 1 } many when many.InnerExceptions.Select(Find).OfType<GranaryException>().FirstOrDefault() is { } first:
                    return first;
                case System.Net.Sockets.SocketException socket:
                    return new GranaryException(
                        ErrorCodes.Unavailable, $"A port could not be opened: {socket.Message}", "Choose other ports with Granary:Silo:Port and Granary:Silo:GatewayPort, or 0 for free ones.", socket);
                default:
                    if (error.GetType().Name == "RedisConnectionException")
                    {
                        return new GranaryException(ErrorCodes.Unavailable, $"Redis could not be reached: {error.Message}", "Start Redis, or correct Granary:Cluster.", error);
                    }

                    break;
            }
        }

        return null;
    }
}
