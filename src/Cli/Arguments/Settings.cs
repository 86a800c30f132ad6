using System.Globalization;
using Granary.Errors;
using Granary.Silo;
using Microsoft.Extensions.Configuration;

namespace Granary.Cli.Arguments;

/// <summary>What a command is told about its surroundings: flag over environment over <c>appsettings.json</c> in the working directory.</summary>
internal sealed class Settings
{
    private Settings(IConfiguration configuration) => Configuration = configuration;

    /// <summary>Gets everything, for a silo.</summary>
    public IConfiguration Configuration { get; }

    /// <summary>Gets the store: a folder, an Azure connection string or an account's URL.</summary>
    /// <value>Default: <c>~/.granary</c>.</value>
    public string Store => Find("Store") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".granary");

    /// <summary>Gets the cluster's address; <see langword="null"/> for a silo in this process.</summary>
    /// <remarks>A silo's setting <c>localhost</c>, without a gateway's port, names no cluster: that silo is alone.</remarks>
    public string? Cluster => Find("Cluster") is var cluster && cluster == "localhost" ? null : cluster;

    /// <summary>Gets the cluster's id; <see langword="null"/> for the default.</summary>
    public string? ClusterId => Find("ClusterId");

    /// <summary>Gets the service's id; <see langword="null"/> for the default.</summary>
    public string? ServiceId => Find("ServiceId");

    /// <summary>Gets the tenant; <see langword="null"/> for <c>default</c>.</summary>
    public string? Tenant => Find("Tenant");

    /// <summary>Gets the engine's threads; <see langword="null"/> for its own choice.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: as <see cref="Engine"/>.</exception>
    public int? Threads => Engine.Threads;

    /// <summary>Gets the engine's settings, <c>Granary:Engine</c>.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: some are no numbers above 0; the message names each.</exception>
    public GranaryEngineOptions Engine
    {
        get
        {
            var faults = new List<string>();
            var engine = new GranaryEngineOptions();
            engine.Threads = FindCount("Engine:Threads", faults);
            engine.QueueCapacity = FindCount("Engine:QueueCapacity", faults) ?? engine.QueueCapacity;
            return faults.Count == 0
                ? engine
                : throw new GranaryException(ErrorCodes.InvalidArgument, string.Join(" ", faults), "Give a number above 0, or leave it out.");
        }
    }

    /// <summary>Gets the configured models by their ids.</summary>
    public IReadOnlyDictionary<string, ConfiguredModel> Models => Configuration.GetSection("Granary:Models").GetChildren().ToDictionary(
        model => model.Key,
        model => new ConfiguredModel(model["Path"] ?? "", model["Dtype"], model["Codec"]),
        StringComparer.Ordinal);

    /// <summary>Gets what is set for a silo's features, such as <c>Granary:Residency</c>; not the models, which a command loads by itself.</summary>
    public IConfiguration Features => new ConfigurationBuilder()
        .AddInMemoryCollection(Configuration.AsEnumerable().Where(setting =>
            setting.Key.StartsWith("Granary:", StringComparison.OrdinalIgnoreCase) && !setting.Key.StartsWith("Granary:Models", StringComparison.OrdinalIgnoreCase)))
        .Build();

    /// <summary>Reads the settings.</summary>
    /// <param name="folder">Where <c>appsettings.json</c> is looked for.</param>
    /// <param name="flags">What the command line says, by name: <c>Store</c>; <see langword="null"/> values are not said.</param>
    /// <returns>The settings.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the file is no JSON; put it right.</exception>
    public static Settings Read(string folder, IReadOnlyDictionary<string, string?> flags)
    {
        var path = Path.Combine(folder, "appsettings.json");
        try
        {
            return new Settings(new ConfigurationBuilder()
                .AddJsonFile(path, optional: true, reloadOnChange: false)
                .AddEnvironmentVariables()
                .AddInMemoryCollection(flags.Where(flag => flag.Value is not null).Select(flag => KeyValuePair.Create("Granary:" + flag.Key, flag.Value)))
                .Build());
        }
        catch (InvalidDataException e)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{path}' is not valid JSON: {(e.InnerException ?? e).Message}", "Put the file right.", e);
        }
    }

    private int? FindCount(string name, List<string> faults)
    {
        if (Find(name) is not { } text)
        {
            return null;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
        {
            return count;
        }

        faults.Add($"Granary:{name} is '{text}'.");
        return null;
    }

    private string? Find(string name) => Configuration["Granary:" + name] is { Length: > 0 } value ? value : null;
}

/// <summary>A model that the settings name.</summary>
/// <param name="Path">Its checkpoint folder.</param>
/// <param name="Dtype">What is computed in; <see langword="null"/> for float32.</param>
/// <param name="Codec">How its KV is stored; <see langword="null"/> for <c>none</c>.</param>
internal sealed record ConfiguredModel(string Path, string? Dtype, string? Codec);
