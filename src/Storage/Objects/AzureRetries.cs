using System.Globalization;
using System.Net.Sockets;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Granary.Storage.Objects;

/// <summary>Tries a request up to four times, and stays within a minute whatever the service does; a block of an upload, whose tries may take longer, within three.</summary>
/// <remarks>
/// The bound of a small request: four tries of 10 s and three pauses of at most 5 s. Without one, a service that takes requests and says nothing would hold its callers for as long as the operating system
/// likes, and one that answers <c>Retry-After: 3600</c> for an hour.
/// </remarks>
internal sealed class AzureRetries() : RetryPolicy(MaxRetries, DelayStrategy.CreateExponentialDelayStrategy(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(2)))
{
    private const int MaxRetries = 3;
    private static readonly TimeSpan MostRetryAfter = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    protected override ValueTask<bool> ShouldRetryAsync(HttpMessage message, Exception? exception) =>
        AsksForTooLong(message, exception) ? ValueTask.FromResult(false) : base.ShouldRetryAsync(message, AsNetworkFault(exception));

    /// <inheritdoc/>
    protected override bool ShouldRetry(HttpMessage message, Exception? exception) =>
        !AsksForTooLong(message, exception) && base.ShouldRetry(message, AsNetworkFault(exception));

    // A connection that the server resets as it accepts it: .NET 10's client asks its socket for the remote address outside of all that wraps errors (34 of 30,000
    // such connections on loopback, 2026-11), and the SDK retries IOException only. Nothing was sent by then.
    private static Exception? AsNetworkFault(Exception? exception) => exception is SocketException ? new IOException(exception.Message, exception) : exception;

    private static bool AsksForTooLong(HttpMessage message, Exception? exception) =>
        exception is null && message.HasResponse && FindRetryAfter(message.Response) > MostRetryAfter;

    // Read as the base class reads it, which keeps it to itself; a date (RFC 9110, section 10.2.3) is taken from the service's own clock.
    private static TimeSpan? FindRetryAfter(Response response)
    {
        var headers = response.Headers;
        if ((headers.TryGetValue("retry-after-ms", out var text) || headers.TryGetValue("x-ms-retry-after-ms", out text))
            && double.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds))
        {
            return TimeSpan.FromMilliseconds(Math.Min(milliseconds, int.MaxValue));
        }

        if (!headers.TryGetValue("Retry-After", out text))
        {
            return null;
        }

        return double.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue))
            : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out var until) ? until - headers.Date : null;
    }
}
