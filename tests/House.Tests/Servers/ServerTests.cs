using System.Net.Sockets;
using System.Text;
using Granary.Testing.Servers;

namespace Granary.House.Tests.Servers;

/// <summary>The fixtures that other projects lean on: a server that is there answers.</summary>
public sealed class ServerTests(AzuriteServer azurite, RedisServer redis) : IClassFixture<AzuriteServer>, IClassFixture<RedisServer>
{
    [Fact]
    public async Task Azurite_Started_AnswersAsABlobService()
    {
        var endpoint = azurite.ConnectionString.Split("BlobEndpoint=")[1].TrimEnd(';');
        using var client = new HttpClient();

        using var answer = await client.GetAsync(new Uri($"{endpoint}?comp=list"), TestContext.Current.CancellationToken);

        Assert.Contains("Azurite-Blob", answer.Headers.Server.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redis_Started_AnswersPing()
    {
        var address = redis.Address.Split(':');
        using var client = new TcpClient();
        await client.ConnectAsync(address[0], int.Parse(address[1], System.Globalization.CultureInfo.InvariantCulture), TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync("PING\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        var answer = new byte[7];

        await client.GetStream().ReadExactlyAsync(answer, TestContext.Current.CancellationToken);

        Assert.Equal("+PONG\r\n", Encoding.ASCII.GetString(answer));
    }
}
