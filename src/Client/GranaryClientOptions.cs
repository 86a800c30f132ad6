using Granary.Errors;

namespace Granary.Client;

/// <summary>How a client finds its cluster.</summary>
public sealed class GranaryClientOptions
{
    internal static readonly TimeSpan DefaultRetryFor = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets the cluster's address: <c>redis://HOST:PORT[/SERVICE]</c> or <c>localhost:GATEWAY_PORT</c>.</summary>
    /// <value>Required.</value>
    public string Cluster { get; set; } = "";

    /// <summary>Gets or sets the cluster's id, as its silos have it.</summary>
    /// <value>Default: <c>granary</c>.</value>
    public string ClusterId { get; set; } = "granary";

    /// <summary>Gets or sets the service's id, as its silos have it. A <c>/SERVICE</c> in <see cref="Cluster"/> goes before it.</summary>
    /// <value>Default: <c>granary</c>.</value>
    public string ServiceId { get; set; } = "granary";

    /// <summary>Gets or sets how long a call that is no stream may take; a stream gives a sign of life twice in that time.</summary>
    /// <value>Default: 5 s.</value>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets or sets how often the list of silos is read: one that hangs may be called through for so long after the others have given it up.</summary>
    /// <value>Default: 5 s.</value>
    public TimeSpan GatewayRefresh { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets or sets how long after its first failure a call that the cluster did not answer is tried again, with growing, jittered pauses; a stream that broke goes on where it was. Where a connection to a silo ends, what hears nothing for a quarter of a second is called once more beside itself.</summary>
    /// <value>Default: 30 s. Zero for not at all. A change that was done counts once for two minutes at least: one that is sent again later, after 64 others of its context, may count twice.</value>
    public TimeSpan RetryFor { get; set; } = DefaultRetryFor;

    /// <summary>Gets or sets how long the first connection is tried before the start fails with <see cref="ErrorCodes.Unavailable"/>.</summary>
    /// <value>Default: 20 s.</value>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(20);
}
