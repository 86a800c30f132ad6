using Azure.Core;
using Azure.Core.Pipeline;

namespace Granary.Storage.Objects;

/// <summary>Limits how long one try of a request waits for the service: for its answer, and then for each next part of a body.</summary>
internal sealed class AzureTimeLimits : HttpPipelineSynchronousPolicy
{
    private const int SmallBytes = 64 << 10;
    private static readonly TimeSpan Small = TimeSpan.FromSeconds(10);

    // 4 MiB within this time, with four blocks of each of four chunks on their way, is 18 Mbit/s.
    private static readonly TimeSpan Block = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    public override void OnSendingRequest(HttpMessage message)
    {
        var isSmall = message.Request.Content is not { } content || (content.TryComputeLength(out var length) && length <= SmallBytes);
        message.NetworkTimeout = isSmall ? Small : Block;
    }
}
