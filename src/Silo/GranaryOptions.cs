using Granary.Client.Connection;
using Granary.Grains.Hosting;
using Microsoft.Extensions.Options;

namespace Granary.Silo;

/// <summary>What a silo is started with. Bound to <c>Granary</c>; <see cref="Models"/>, <c>Residency</c> and <c>Engine</c> are sections of their own features.</summary>
public sealed class GranaryOptions
{
    /// <summary>Gets or sets the store: a folder, an Azure connection string or an account's URL.</summary>
    /// <value>Default: <c>~/.granary</c>.</value>
    public string Store { get; set; } = DefaultStore;

    /// <summary>Gets or sets how silos find each other: <c>redis://HOST:PORT[/SERVICE]</c>, or <c>localhost</c> for one silo alone.</summary>
    /// <value>Default: <c>localhost</c>.</value>
    public string Cluster { get; set; } = "localhost";

    /// <summary>Gets or sets the cluster's id.</summary>
    /// <value>Default: <c>granary</c>.</value>
    public string ClusterId { get; set; } = "granary";

    /// <summary>Gets or sets the service's id; a <c>/SERVICE</c> in <see cref="Cluster"/> goes before it.</summary>
    /// <value>Default: <c>granary</c>.</value>
    public string ServiceId { get; set; } = "granary";

    /// <summary>Gets or sets the models that are served, by id.</summary>
    public ModelsOptions Models { get; set; } = [];

    /// <summary>Gets or sets the device's engine.</summary>
    public GranaryEngineOptions Engine { get; set; } = new();

    /// <summary>Gets or sets this silo's name and endpoints.</summary>
    public SiloEndpointOptions Silo { get; set; } = new();

    /// <summary>Gets the store that is used where none is named.</summary>
    public static string DefaultStore => Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".granary");
}

/// <summary>The engine's settings, <c>Granary:Engine</c>.</summary>
public sealed class GranaryEngineOptions
{
    /// <summary>Gets or sets the threads that a step is computed with. They change no bit of a result.</summary>
    /// <value>At least 1. Default: <see langword="null"/>, the logical processors that the process may use, less one for Orleans where these are more than two.</value>
    public int? Threads { get; set; }

    /// <summary>Gets or sets how many requests of the engine (an ask, a score, a page) may wait or run at once; one more is refused with <c>QueueFull</c>.</summary>
    /// <value>At least 1. Default: 1024.</value>
    public int QueueCapacity { get; set; } = 1024;
}

/// <summary>A silo's name and endpoints, <c>Granary:Silo</c>.</summary>
public sealed class SiloEndpointOptions
{
    /// <summary>Gets or sets the silo's name; a restarted silo keeps it.</summary>
    /// <value>Default: <see langword="null"/>, the host's name and the process id.</value>
    public string? Name { get; set; }

    /// <summary>Gets or sets the address that other silos and clients reach it under.</summary>
    /// <value>Default: <c>127.0.0.1</c>.</value>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>Gets or sets the port for other silos.</summary>
    /// <value>Default: 11111. 0 takes a free one.</value>
    public int Port { get; set; } = 11111;

    /// <summary>Gets or sets the port for clients.</summary>
    /// <value>Default: 30000. 0 takes a free one.</value>
    public int GatewayPort { get; set; } = 30000;
}

/// <summary>Refuses settings with which a silo could not start, all faults at once.</summary>
internal sealed class GranaryOptionsValidator : IValidateOptions<GranaryOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, GranaryOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (options.Store.Length == 0)
        {
            faults.AddError("is empty. Give a folder, an Azure connection string or an account's URL.", "Granary:Store");
        }

        if (options.Cluster != "localhost" && !(ClusterAddress.TryParse(options.Cluster, out var cluster) && cluster.Host is not null))
        {
            faults.AddError($"is '{options.Cluster}'. Give redis://HOST:PORT[/SERVICE], or localhost.", "Granary:Cluster");
        }

        if (options.Engine.Threads < 1)
        {
            faults.AddError($"is {options.Engine.Threads}. Give at least 1, or leave it out.", "Granary:Engine:Threads");
        }

        if (options.Engine.QueueCapacity < 1)
        {
            faults.AddError($"is {options.Engine.QueueCapacity}. Give at least 1, or leave it out for 1024.", "Granary:Engine:QueueCapacity");
        }

        if (!System.Net.IPAddress.TryParse(options.Silo.Address, out _))
        {
            faults.AddError($"is '{options.Silo.Address}'. Give an IP address.", "Granary:Silo:Address");
        }

        foreach (var (port, setting) in new[] { (options.Silo.Port, "Port"), (options.Silo.GatewayPort, "GatewayPort") })
        {
            if (port is < 0 or > ushort.MaxValue)
            {
                faults.AddError($"is {port}. Give 0 to 65535.", $"Granary:Silo:{setting}");
            }
        }

        return faults.Build();
    }
}
