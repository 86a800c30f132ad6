using Granary.Client.Connection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Granary.Client.Tests.Connection;

public sealed class GranaryClientOptionsValidatorTests
{
    [Fact]
    public void Validate_ClusterAlone_IsEnough() =>
        Assert.True(new GranaryClientOptionsValidator().Validate(null, new GranaryClientOptions { Cluster = "redis://127.0.0.1:6379" }).Succeeded);

    [Fact]
    public void Validate_EveryOptionIsWrong_NamesEveryOption()
    {
        var result = new GranaryClientOptionsValidator().Validate(null, Wrong);

        // By reflection: an option that is added has to be checked, and be wrong here.
        Assert.All(typeof(GranaryClientOptions).GetProperties(), option => Assert.Contains(option.Name, result.FailureMessage, StringComparison.Ordinal));
    }

    [Fact]
    public void AddGranaryClient_WrongOptions_FailTheStartWithAllFaults()
    {
        using var services = new ServiceCollection().AddLogging().AddGranaryClient(options => Copy(Wrong, options)).BuildServiceProvider();

        var error = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IStartupValidator>().Validate());
        Assert.Contains(nameof(GranaryClientOptions.Cluster), error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(GranaryClientOptions.ConnectTimeout), error.Message, StringComparison.Ordinal);
    }

    private static GranaryClientOptions Wrong => new() { Cluster = "http://x", ClusterId = "", ServiceId = " ", ResponseTimeout = TimeSpan.Zero, ConnectTimeout = TimeSpan.FromSeconds(-1), RetryFor = TimeSpan.FromSeconds(-1), GatewayRefresh = TimeSpan.Zero };

    private static void Copy(GranaryClientOptions from, GranaryClientOptions to)
    {
        foreach (var option in typeof(GranaryClientOptions).GetProperties())
        {
            option.SetValue(to, option.GetValue(from));
        }
    }
}
