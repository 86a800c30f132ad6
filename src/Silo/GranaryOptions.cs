using Granary.Grains.Hosting;

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

    /// <summary>Gets or sets what this silo is, where it listens, and how it lives with the others.</summary>
    public GranarySiloOptions Silo { get; set; } = new();

    /// <summary>Gets the role that holds: the one that is set, or the one that follows from cluster and models.</summary>
    internal SiloRole Role => Silo.Role ?? (Cluster != "localhost" && Models.Count == 0 ? SiloRole.Front : SiloRole.Both);

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
