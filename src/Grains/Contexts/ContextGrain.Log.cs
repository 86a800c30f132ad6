using Granary.Contexts;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.ContextFenced, LogLevel.Warning, "Commit of {Context} fenced: somebody else has changed its manifest. The newer one has been loaded; acknowledged data is safe")]
        public static partial void Fenced(ILogger logger, ContextId context);

        [LoggerMessage(EventIds.ContextServedUnchecked, LogLevel.Warning, "The store does not answer ({Reason}); {Context} is served as it was {Seconds:F0} s ago")]
        public static partial void ServedUnchecked(ILogger logger, ContextId context, double seconds, string reason);

        [LoggerMessage(EventIds.CreateFailed, LogLevel.Information, "Creating {Context} failed: {Reason}. Its callers have been told")]
        public static partial void CreateFailed(ILogger logger, ContextId context, string reason);

        [LoggerMessage(EventIds.RefreshFailed, LogLevel.Warning, "The expiry of {Context} could not be moved on: {Reason}. The next hit tries again")]
        public static partial void RefreshFailed(ILogger logger, ContextId context, string reason);

        [LoggerMessage(EventIds.ChunkRepairFailed, LogLevel.Warning, "A recomputed page of {Context} could not be written back: {Reason}. The next restore computes it again")]
        public static partial void RepairFailed(ILogger logger, ContextId context, string reason);
    }
}
