using Granary.Client.Connection;
using Granary.Errors;

namespace Granary.Client.Tests.Connection;

public sealed class ClusterAddressTests
{
    [Theory]
    [InlineData("redis://redis.local:6380", "redis.local", 6380, null)]
    [InlineData("redis://127.0.0.1:6379/books", "127.0.0.1", 6379, "books")]
    [InlineData("localhost:30000", null, 30000, null)]
    public void TryParse_KnownForm_GivesItsParts(string text, string? host, int port, string? service)
    {
        Assert.True(ClusterAddress.TryParse(text, out var address));
        Assert.Equal(new ClusterAddress(host, port, service), address);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("localhost")]
    [InlineData("localhost:0")]
    [InlineData("localhost:70000")]
    [InlineData("redis://host:1/a/b")]
    [InlineData("http://host:1")]
    public void TryParse_OtherText_Refuses(string? text) => Assert.False(ClusterAddress.TryParse(text, out _));

    [Fact]
    public async Task ConnectAsync_OptionsAreWrong_NamesEveryFault()
    {
        var error = await Assert.ThrowsAsync<GranaryException>(() => GranaryConnection.ConnectAsync(
            options =>
            {
                options.Cluster = "nowhere";
                options.ResponseTimeout = TimeSpan.Zero;
            },
            cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal(ErrorCodes.InvalidArgument, error.Code);
        Assert.Contains("'nowhere'", error.Message, StringComparison.Ordinal);
        Assert.Contains("ResponseTimeout", error.Message, StringComparison.Ordinal);
    }
}
