using Granary.Cli.Terminals;
using Granary.Errors;
using Granary.Stores;

namespace Granary.Cli.Stores;

/// <summary>Runs a sweep and shows how far it is.</summary>
internal static class Sweeping
{
    /// <summary>Runs it to its end.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="request">How it is done.</param>
    /// <param name="cancellationToken">Leaves it.</param>
    /// <returns>What it found and did.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.Unavailable"/>: the stream ended early.</exception>
    public static async Task<StoreSweepResult> RunAsync(Invocation invocation, StoreSweepRequest request, CancellationToken cancellationToken)
    {
        await using var session = await invocation.OpenAsync(null, cancellationToken);
        var stream = session.Client.Store(invocation.Settings.Tenant).SweepAsync(request, cancellationToken);
        return await ProgressReport.FollowAsync(
            invocation.Terminal,
            "objects",
            stream,
            static status => (status.Done, status.Total, status.Result),
            static () => new GranaryException(ErrorCodes.Unavailable, "The sweep ended without a result.", "Run it again: it goes on where it stopped."));
    }
}
