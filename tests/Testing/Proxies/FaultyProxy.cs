using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Granary.Testing.Proxies;

/// <summary>An HTTP proxy in front of a real server on 127.0.0.1, which does to requests what networks and services do: scripted, by chance, or in an outage.</summary>
/// <remarks>Requests and answers are passed on whole, headers and paths as they came: what the client has signed stays signed.</remarks>
public sealed class FaultyProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly HttpClient _server;
    private readonly int _serverPort;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<TcpClient, Task> _connections = [];
    private readonly ConcurrentQueue<ProxiedRequest> _requests = [];
    private readonly List<ScriptedFault> _script = [];
    private readonly Task _accepting;
    private volatile Outage _outage;

    /// <summary>Starts one; the caller disposes it.</summary>
    /// <param name="serverPort">The real server's port on 127.0.0.1.</param>
    public FaultyProxy(int serverPort)
    {
        _serverPort = serverPort;
        _server = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>Gets the port that it listens on.</summary>
    public int Port { get; }

    /// <summary>Gets the requests so far, in the order of their arrival; those of an outage are not among them.</summary>
    public IReadOnlyList<ProxiedRequest> Requests => [.. _requests];

    /// <summary>Gets or sets the faults by chance; none where null.</summary>
    public SeededFaults? Faults { get; set; }

    /// <summary>Has the next requests of a kind meet a fault.</summary>
    /// <param name="isWanted">Says which.</param>
    /// <param name="fault">The fault.</param>
    /// <param name="times">How many of them.</param>
    /// <returns>What counts those that met it.</returns>
    public ScriptedFault Inject(Predicate<ProxiedRequest> isWanted, ProxyFault fault, int times = 1)
    {
        var scripted = new ScriptedFault(isWanted, fault, times);
        lock (_script)
        {
            _script.Add(scripted);
        }

        return scripted;
    }

    /// <summary>Begins an outage: connections are reset, or, where it is silent, kept and never answered.</summary>
    public void BeginOutage(bool isSilent)
    {
        _outage = isSilent ? Outage.Silent : Outage.Refusing;
        if (!isSilent)
        {
            ResetAll();
        }
    }

    /// <summary>Ends the outage; connections made before are reset.</summary>
    public void EndOutage()
    {
        _outage = Outage.None;
        ResetAll();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        ResetAll();
        await _accepting;
        await Task.WhenAll(_connections.Values);
        _listener.Dispose();
        _server.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                client.NoDelay = true;
                var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _connections[client] = ServeAsync(client, started.Task);
                started.SetResult();
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Either the end, or a client that was gone before it was accepted.
            }
        }
    }

    private async Task ServeAsync(TcpClient client, Task isRegistered)
    {
        await isRegistered;
        try
        {
            using var connection = new ProxyConnection(client);
            while (_outage != Outage.Refusing && await connection.ReadHeadAsync(_stopping.Token) is { } request)
            {
                if (_outage != Outage.None || !await AnswerAsync(connection, request))
                {
                    break;
                }
            }

            if (_outage == Outage.Silent)
            {
                // Until the outage's end resets the connection, or the client leaves.
                await connection.WaitForEndAsync(_stopping.Token);
            }

            connection.Reset();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            // The connection ended: by the client, by an outage, or with the proxy.
        }
        finally
        {
            _connections.TryRemove(client, out _);
        }
    }

    // Returns whether the connection goes on.
    private async Task<bool> AnswerAsync(ProxyConnection connection, ProxiedRequest request)
    {
        _requests.Enqueue(request);
        var fault = Choose(request);
        if (fault?.RequestBytes is { } requestBytes)
        {
            await connection.ReadBodyAsync(Math.Min(requestBytes, request.BodyLength), _stopping.Token);
            return false;
        }

        var body = await connection.ReadBodyAsync(request.BodyLength, _stopping.Token);
        if (fault is { IsSilent: true })
        {
            await connection.WaitForEndAsync(_stopping.Token);
            return false;
        }

        if (fault is { Delay: var delay } && delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, TimeProvider.System, _stopping.Token);
        }

        await (fault?.Meanwhile?.Invoke() ?? Task.CompletedTask);
        using var answer = fault is { ReachesServer: false } ? null : await ForwardAsync(request, body);
        if (_outage != Outage.None || fault is { IsLost: true })
        {
            return false; // an outage that began meanwhile has taken the answer
        }

        if (fault?.Status is { } status)
        {
            await connection.WriteAsync(RefusalHead(status, fault.RetryAfter), default, _stopping.Token);
            return true;
        }

        var content = await answer!.Content.ReadAsByteArrayAsync(_stopping.Token);
        var sent = Math.Min(fault?.AnswerBytes ?? content.Length, content.Length);
        await connection.WriteAsync(HeadOf(answer, request.Method == "HEAD" ? answer.Content.Headers.ContentLength ?? 0 : content.Length), content.AsMemory(0, sent), _stopping.Token);
        return fault?.AnswerBytes is null;
    }

    private ProxyFault? Choose(ProxiedRequest request)
    {
        lock (_script)
        {
            if (_script.Find(scripted => scripted.Takes(request)) is { } scripted)
            {
                return scripted.Fault;
            }
        }

        return Faults?.Draw(request);
    }

    private async Task<HttpResponseMessage> ForwardAsync(ProxiedRequest request, byte[] body)
    {
        var address = new Uri($"http://127.0.0.1:{_serverPort}{request.Target}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var message = new HttpRequestMessage(new HttpMethod(request.Method), address);
        message.Content = request.Method == "PUT" || body.Length > 0 ? new ByteArrayContent(body) : null;
        foreach (var (name, value) in request.Headers)
        {
            if (!IsOfTheConnection(name) && !message.Headers.TryAddWithoutValidation(name, value))
            {
                message.Content?.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await _server.SendAsync(message, HttpCompletionOption.ResponseContentRead, _stopping.Token);
    }

    private static string HeadOf(HttpResponseMessage answer, long length)
    {
        var head = new StringBuilder($"HTTP/1.1 {(int)answer.StatusCode} {answer.ReasonPhrase}\r\n");
        foreach (var (name, values) in answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated))
        {
            if (!IsOfTheConnection(name))
            {
                head.Append(CultureInfo.InvariantCulture, $"{name}: {values}\r\n");
            }
        }

        return answer.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.NotModified
            ? head.Append("\r\n").ToString()
            : head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n\r\n").ToString();
    }

    private static string RefusalHead(int status, TimeSpan? retryAfter) =>
        $"HTTP/1.1 {status} Injected\r\nx-ms-error-code: {(status == 500 ? "InternalError" : "ServerBusy")}\r\n"
        + (retryAfter is { } wait ? string.Create(CultureInfo.InvariantCulture, $"Retry-After: {wait.TotalSeconds:F0}\r\n") : "")
        + "Content-Length: 0\r\n\r\n";

    private static bool IsOfTheConnection(string header) =>
        header.Equals("Host", StringComparison.OrdinalIgnoreCase) || header.Equals("Connection", StringComparison.OrdinalIgnoreCase)
        || header.Equals("Keep-Alive", StringComparison.OrdinalIgnoreCase) || header.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)
        || header.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase) || header.Equals("Expect", StringComparison.OrdinalIgnoreCase);

    private void ResetAll()
    {
        foreach (var client in _connections.Keys)
        {
            ProxyConnection.Reset(client);
        }
    }

    private enum Outage
    {
        None,
        Refusing,
        Silent,
    }
}
