namespace Granary.Cli.Tests.EndToEnd;

/// <summary><c>model info</c>, over the real engine.</summary>
public sealed class ModelInfoTests : IDisposable
{
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task Info_Json_HasTheSelfTestsSecondsWithinTheLoads()
    {
        var info = (await _place.RunAsync("model", "info", Workplace.SampleModel, "--json")).Succeeded().Result.AsObject();

        Assert.Equal(["numerics", "kvBytesPerToken", "deviceWeightBytes", "workspaceBytes", "loadSeconds", "selfTestSeconds"], info.Select(field => field.Key).TakeLast(6));
        Assert.True((bool?)info["numerics"]?["exact"]);
        Assert.True((double?)info["selfTestSeconds"] is not { } seconds || (seconds > 0 && seconds < (double?)info["loadSeconds"]), info.ToJsonString()); // null: the machine's cache has the verdict
    }
}
