using System.Net.Sockets;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Granary.Storage.Tests.Objects;

/// <summary>A transport whose first connections are reset by the server as soon as it has accepted them.</summary>
/// <remarks>
/// .NET 10's HTTP client asks a connection that it has just made for its remote address; where that connection is gone by then, it throws the socket's own
/// exception, not its own. When that happens is the kernel's choice, so it is made here.
/// </remarks>
internal sealed class ResettingTransport(int resets) : HttpPipelineTransport
{
    private readonly HttpPipelineTransport _inner = HttpClientTransport.Shared;

    public int Tries { get; private set; }

    public override Request CreateRequest() => _inner.CreateRequest();

    public override void Process(HttpMessage message)
    {
        Reset();
        _inner.Process(message);
    }

    public override ValueTask ProcessAsync(HttpMessage message)
    {
        Reset();
        return _inner.ProcessAsync(message);
    }

    private void Reset()
    {
        if (++Tries <= resets)
        {
            throw new SocketException((int)SocketError.NotConnected);
        }
    }
}
