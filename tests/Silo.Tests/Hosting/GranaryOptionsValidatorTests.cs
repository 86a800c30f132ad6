namespace Granary.Silo.Tests.Hosting;

public sealed class GranaryOptionsValidatorTests
{
    [Fact]
    public void Validate_Defaults_AreAccepted() => Assert.True(new GranaryOptionsValidator().Validate(null, new GranaryOptions()).Succeeded);

    [Fact]
    public void Validate_SeveralFaults_AreAllReportedWithTheirSettings()
    {
        var result = new GranaryOptionsValidator().Validate(null, new GranaryOptions
        {
            Store = "",
            Cluster = "http://x",
            Engine = { Threads = 0, QueueCapacity = 0 },
            Silo = { Address = "nowhere", Port = -1, GatewayPort = 70_000 },
        });
        foreach (var setting in new[] { "Granary:Store", "Granary:Cluster", "Granary:Engine:Threads", "Granary:Engine:QueueCapacity", "Granary:Silo:Address", "Granary:Silo:Port", "Granary:Silo:GatewayPort" })
        {
            Assert.Contains(setting, result.FailureMessage, StringComparison.Ordinal);
        }
    }
}
