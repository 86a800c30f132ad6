using Granary.Cluster.Tests.Processes;
using Granary.Errors;
using Granary.Testing;
using Granary.Testing.Servers;

namespace Granary.Cluster.Tests.Stores;

/// <summary>An Azure store by its address: every request has a token of the identity that <c>DefaultAzureCredential</c> finds.</summary>
public sealed class ManagedIdentityTests : IAsyncDisposable
{
    private readonly LoopbackCertificate _certificate = new();
    private readonly IdentityEndpoint _identity = new();

    private Dictionary<string, string?> Environment => new(_identity.Environment) { ["SSL_CERT_FILE"] = _certificate.CertificatePath };

    public async ValueTask DisposeAsync()
    {
        await _identity.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    public async Task Command_StoreIsAnAddress_WritesAndReadsAsTheMachinesIdentity()
    {
        Needs.Azurite();
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var azurite = await AzuriteProcess.StartAsync(AzuriteServer.FindExecutable()!, null, _certificate, cancellationToken);
        string[] where = ["--model", "models/ledger-4m", "--store", $"https://127.0.0.1:{azurite.Port}/devstoreaccount1/kv-cache/team"];

        var created = await CommandRun.RunAsync(["context", "create", "mill", "--text", "The mill of Wesby.", .. where], cancellationToken, Environment);
        Assert.True(created.ExitCode == 0, created.ToString());
        Assert.Equal(1, _identity.Given); // it is kept as long as it is valid
        var asked = await CommandRun.RunAsync(["context", "ask", "mill", "Where?", "--max-new-tokens", "2", .. where], cancellationToken, Environment);
        Assert.True(asked.ExitCode == 0, asked.ToString());
        Assert.Equal("load", asked.Result.GetProperty("plan").GetProperty("decision").GetString());
        Assert.Equal(2, _identity.Given);

        _identity.HasIdentity = false;
        var refused = await CommandRun.RunAsync(["context", "show", "mill", .. where], cancellationToken, Environment);
        Assert.True((refused.ExitCode, refused.ErrorCode) == (1, ErrorCodes.StoreUnavailable), refused.ToString());
        Assert.Contains(refused.Errors, static line => line.Contains("No Azure identity was found", StringComparison.Ordinal));
    }
}
