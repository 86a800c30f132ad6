namespace Granary.Testing.Proxies;

/// <summary>What goes wrong with one request.</summary>
public sealed record ProxyFault
{
    private ProxyFault()
    {
    }

    /// <summary>Gets the fault of an answer that is lost: the server has acted, and the connection ends without a word.</summary>
    public static ProxyFault LostAnswer { get; } = new() { ReachesServer = true, IsLost = true };

    /// <summary>Gets the fault of a server that takes a request and says nothing, until the client gives up or the proxy is disposed.</summary>
    public static ProxyFault Silence { get; } = new() { IsSilent = true };

    internal bool ReachesServer { get; private init; }

    internal bool IsLost { get; private init; }

    internal bool IsSilent { get; private init; }

    internal TimeSpan Delay { get; private init; }

    internal Func<Task>? Meanwhile { get; private init; }

    internal int? Status { get; private init; }

    internal TimeSpan? RetryAfter { get; private init; }

    internal int? RequestBytes { get; private init; }

    internal int? AnswerBytes { get; private init; }

    /// <summary>Makes the fault of a request that is passed on late.</summary>
    public static ProxyFault Late(TimeSpan delay) => new() { Delay = delay, ReachesServer = true };

    /// <summary>Makes the fault of a request that something else happens before.</summary>
    /// <param name="act">What happens, before the request is passed on.</param>
    public static ProxyFault Overtaken(Func<Task> act) => new() { Meanwhile = act, ReachesServer = true };

    /// <summary>Makes the fault of a refusal.</summary>
    /// <param name="status">429, 500, 503 or another.</param>
    /// <param name="retryAfter">What the refusal says about when to come back, in whole seconds.</param>
    /// <param name="acts">Whether the server has done what was asked all the same.</param>
    public static ProxyFault Refusal(int status, TimeSpan? retryAfter = null, bool acts = false) => new() { Status = status, RetryAfter = retryAfter, ReachesServer = acts };

    /// <summary>Makes the fault of a connection that is reset after some bytes of the request's body: the server never sees it.</summary>
    public static ProxyFault ResetInRequest(int bodyBytes) => new() { RequestBytes = bodyBytes };

    /// <summary>Makes the fault of a connection that is reset after some bytes of the answer's body: the server has acted.</summary>
    public static ProxyFault ResetInAnswer(int bodyBytes) => new() { AnswerBytes = bodyBytes, ReachesServer = true };
}
