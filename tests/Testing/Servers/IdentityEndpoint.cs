using System.Net;
using System.Text;
using System.Text.Json;
using Granary.Testing.Processes;

namespace Granary.Testing.Servers;

/// <summary>The endpoint at which a machine in Azure gets its managed identity's tokens, on a free port of 127.0.0.1.</summary>
/// <remarks>Source: learn.microsoft.com/azure/app-service/overview-managed-identity, "REST endpoint reference". Its tokens are unsigned.</remarks>
public sealed class IdentityEndpoint : IAsyncDisposable
{
    private const string Secret = "granary-tests";
    private readonly HttpListener _listener = new();
    private readonly Task _serving;
    private readonly string _url;
    private int _given;

    public IdentityEndpoint()
    {
        _url = $"http://127.0.0.1:{LoopbackPort.FindFree()}/token/";
        _listener.Prefixes.Add(_url);
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>Gets or sets whether tokens are given; otherwise it refuses, as where no identity is assigned.</summary>
    public bool HasIdentity { get; set; } = true;

    /// <summary>Gets how many tokens for storage were given.</summary>
    public int Given => Volatile.Read(ref _given);

    /// <summary>Gets the variables by which a process finds it.</summary>
    public IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?> { ["IDENTITY_ENDPOINT"] = _url, ["IDENTITY_HEADER"] = Secret };

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _serving;
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext call;
            try
            {
                call = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return; // closed
            }

            var (status, answer) = Answer(call.Request);
            call.Response.StatusCode = status;
            call.Response.ContentType = "application/json";
            await call.Response.OutputStream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(answer));
            call.Response.Close();
        }
    }

    private (int Status, Dictionary<string, string> Answer) Answer(HttpListenerRequest request)
    {
        if (!HasIdentity || request.Headers["X-IDENTITY-HEADER"] != Secret || request.QueryString["resource"]?.TrimEnd('/') != "https://storage.azure.com")
        {
            return (400, new() { ["statusCode"] = "400", ["message"] = "No managed identity is assigned." });
        }

        Interlocked.Increment(ref _given);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new Dictionary<string, object>
        {
            ["aud"] = "https://storage.azure.com",
            ["iss"] = "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
            ["iat"] = now - 60,
            ["nbf"] = now - 60,
            ["exp"] = now + 3600,
        };
        return (200, new()
        {
            ["access_token"] = $"{Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Encode(JsonSerializer.Serialize(claims))}.{Encode("unsigned")}",
            ["expires_on"] = $"{now + 3600}",
            ["resource"] = "https://storage.azure.com",
            ["token_type"] = "Bearer",
        });
    }

    private static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
