using Granary.Grains.Hosting;

namespace Granary.Silo;

/// <summary>What a silo is, where it listens, and how it lives with the others. Bound to <c>Granary:Silo</c>.</summary>
public sealed class GranarySiloOptions
{
    /// <summary>Gets or sets the silo's name; a restarted silo keeps it.</summary>
    /// <value>Default: <see langword="null"/>, the host's name and the process id.</value>
    public string? Name { get; set; }

    /// <summary>Gets or sets what the silo hosts.</summary>
    /// <value><c>worker</c>, <c>front</c> or <c>both</c>. Default: <see langword="null"/>, <c>front</c> where a cluster is named and no model is, otherwise <c>both</c>.</value>
    /// <remarks>
    /// A worker needs models, a front has none. A cluster of workers alone answers asks, and has nobody for data sets, listings, sweeps and drains:
    /// it needs one silo of another role.
    /// </remarks>
    public SiloRole? Role { get; set; }

    /// <summary>Gets or sets the address that other silos and clients reach it under.</summary>
    /// <value>Default: <c>127.0.0.1</c>.</value>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>Gets or sets the port for other silos.</summary>
    /// <value>Default: 11111. 0 takes a free one.</value>
    public int Port { get; set; } = 11111;

    /// <summary>Gets or sets the port for clients.</summary>
    /// <value>Default: 30000. 0 takes a free one.</value>
    public int GatewayPort { get; set; } = 30000;

    /// <summary>Gets or sets how long a call that is no stream may take; a stream gives a sign of life twice in that time.</summary>
    /// <value>Above zero, at most a minute. Default: 5 s.</value>
    /// <remarks>A client must not wait for less (<c>GranaryClientOptions.ResponseTimeout</c>), or it gives up between two tokens.</remarks>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets or sets how long running streams may go on when the silo is told to stop, or is drained. What runs after that is broken off, and taken up on another silo.</summary>
    /// <value>Zero, which waits for nothing, to a day. Default: 30 s.</value>
    /// <remarks>The process may take half a minute longer to stop: what kills it (Kubernetes' <c>terminationGracePeriodSeconds</c>) must wait for both.</remarks>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets whether the silo does once, before it joins its cluster, what it will be asked for, so that its first callers need not wait until it is compiled.</summary>
    /// <value>Default: <see langword="true"/>. Without a cluster it never does.</value>
    /// <remarks>It takes about a second of one core.</remarks>
    public bool WarmUp { get; set; } = true;

    /// <summary>Gets or sets how long another silo is waited for when it is asked whether it lives, and how often it is asked.</summary>
    /// <value>Above zero, at most a minute. Default: 5 s.</value>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets or sets how many probes in a row must be missed before a silo is suspected.</summary>
    /// <value>1 to 100. Default: 3.</value>
    public int MissedProbes { get; set; } = 3;

    /// <summary>Gets or sets how many silos must suspect another before it is declared dead; where fewer are left, those are enough.</summary>
    /// <value>1 to 10. Default: 2.</value>
    public int DeathVotes { get; set; } = 2;

    /// <summary>Gets or sets how often the membership is read, beside what silos tell each other; a silo also signs it that often, or twice a minute where that is less.</summary>
    /// <value>Above zero, at most an hour. Default: 60 s.</value>
    public TimeSpan MembershipRefresh { get; set; } = TimeSpan.FromSeconds(60);
}
