using Granary.Grains.Hosting;

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
            Silo =
            {
                Address = "nowhere",
                Port = -1,
                GatewayPort = 70_000,
                Role = SiloRole.Worker,
                ResponseTimeout = TimeSpan.Zero,
                ProbeTimeout = TimeSpan.FromMinutes(2),
                DrainTimeout = TimeSpan.FromSeconds(-1),
                MissedProbes = 0,
                DeathVotes = 11,
                MembershipRefresh = TimeSpan.FromSeconds(-1),
            },
        });
        string[] settings =
        [
            "Granary:Store", "Granary:Cluster", "Granary:Engine:Threads", "Granary:Engine:QueueCapacity", "Granary:Silo:Address", "Granary:Silo:Port", "Granary:Silo:GatewayPort",
            "Granary:Silo:Role", "Granary:Silo:ResponseTimeout", "Granary:Silo:ProbeTimeout", "Granary:Silo:MissedProbes", "Granary:Silo:DeathVotes", "Granary:Silo:MembershipRefresh",
            "Granary:Silo:DrainTimeout",
        ];
        foreach (var setting in settings)
        {
            Assert.Contains(setting, result.FailureMessage, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(null, "localhost", false, SiloRole.Both)]
    [InlineData(null, "redis://r", false, SiloRole.Front)]
    [InlineData(null, "redis://r", true, SiloRole.Both)]
    [InlineData(SiloRole.Both, "redis://r", false, SiloRole.Both)]
    [InlineData(SiloRole.Worker, "redis://r", true, SiloRole.Worker)]
    [InlineData(SiloRole.Front, "redis://r", false, SiloRole.Front)]
    public void Role_SetOrNot_FollowsFromClusterAndModels(SiloRole? role, string cluster, bool hasModel, SiloRole expected)
    {
        var options = Options(role, cluster, hasModel);
        Assert.Equal(expected, options.Role);
        Assert.True(new GranaryOptionsValidator().Validate(null, options).Succeeded);
    }

    [Theory]
    [InlineData(SiloRole.Worker, false, "Granary:Models")]
    [InlineData(SiloRole.Front, true, "tiny")]
    [InlineData((SiloRole)7, true, "worker, front or both")]
    public void Validate_RoleThatContradictsTheModels_SaysWhatToDo(SiloRole role, bool hasModel, string said)
    {
        var result = new GranaryOptionsValidator().Validate(null, Options(role, "redis://r", hasModel));
        Assert.Contains("Granary:Silo:Role", result.FailureMessage, StringComparison.Ordinal);
        Assert.Contains(said, result.FailureMessage, StringComparison.Ordinal);
    }

    private static GranaryOptions Options(SiloRole? role, string cluster, bool hasModel)
    {
        var options = new GranaryOptions { Cluster = cluster, Silo = { Role = role } };
        if (hasModel)
        {
            options.Models["tiny"] = new ModelOptions { Path = "models/tiny" };
        }

        return options;
    }
}
