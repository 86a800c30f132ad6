using Granary.Cli.Arguments;
using Granary.Errors;
using Granary.Inference.Pages;
using Granary.Naming;

namespace Granary.Cli.Models;

/// <summary>What <c>M</c> stands for.</summary>
/// <param name="Id">The model id.</param>
/// <param name="Folder">The checkpoint folder; <see langword="null"/> where only a cluster knows it.</param>
/// <param name="Dtype">What is computed in.</param>
/// <param name="Codec">How its KV is stored, and held.</param>
internal sealed record ModelReference(string Id, string? Folder, string Dtype, string Codec = ModelReference.DefaultCodec)
{
    private const string DefaultDtype = "float32";

    /// <summary>The codec of a model that the settings give none.</summary>
    public const string DefaultCodec = "none";

    /// <summary>Gets the folder, for verbs that read it themselves.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.ModelNotFound"/>: name a folder.</exception>
    public string RequiredFolder => Folder ?? throw new GranaryException(
        ErrorCodes.ModelNotFound,
        $"The settings name no checkpoint folder for '{Id}'.",
        $"Give the folder's path, or set Granary:Models:{Id}:Path.");

    /// <summary>Gets what is computed in.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: correct the setting; the flag is checked before.</exception>
    public KvDtype KvDtype => KvDtypes.TryParse(Dtype, out var dtype)
        ? dtype
        : throw new GranaryException(ErrorCodes.InvalidArgument, $"The dtype of '{Id}' is '{Dtype}'.", "Use float32, bfloat16 or float64.");

    /// <summary>Gets how its KV is stored, and held.</summary>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: correct the setting.</exception>
    public KvCodec KvCodec => KvCodecs.TryParse(Codec, out var codec)
        ? codec
        : throw new GranaryException(ErrorCodes.InvalidArgument, $"The codec of '{Id}' is '{Codec}'.", $"Set Granary:Models:{Id}:Codec to none or, with float32, to bfloat16.");

    /// <summary>Finds the model: an existing folder, else an id of the settings, else, with a cluster, any id.</summary>
    /// <param name="model">What was given.</param>
    /// <param name="dtype">The dtype that was given, if any.</param>
    /// <param name="modelId">The id that was given, if any.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The model.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.ModelNotFound"/>, <see cref="ErrorCodes.InvalidName"/>: name a folder or an id.</exception>
    public static ModelReference Resolve(string model, string? dtype, string? modelId, Settings settings)
    {
        if (model.Length == 0)
        {
            throw new GranaryException(ErrorCodes.EmptyInput, "The model is empty.", "Give a checkpoint folder or a model id.");
        }

        var isPath = model.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal) || model is "." or "..";
        if ((isPath && Directory.Exists(model)) || File.Exists(Path.Combine(model, "config.json")))
        {
            return OfFolder(model, dtype, modelId);
        }

        if (!isPath && settings.Models.TryGetValue(model, out var configured))
        {
            return OfConfigured(model, configured, dtype, modelId);
        }

        if (!isPath && Directory.Exists(model))
        {
            return OfFolder(model, dtype, modelId); // opening it tells which file is missing
        }

        return !isPath && settings.Cluster is not null
            ? new ModelReference(Names.CheckModel(modelId ?? model), null, dtype ?? DefaultDtype)
            : throw new GranaryException(
                ErrorCodes.ModelNotFound,
                isPath ? $"There is no folder '{model}'." : $"'{model}' is neither a folder nor a model of the settings{KnownOf(settings)}.",
                "Give the path of a checkpoint folder, or name one in Granary:Models:{id}:Path.");
    }

    private static ModelReference OfFolder(string folder, string? dtype, string? modelId)
    {
        var used = dtype ?? DefaultDtype;
        return new ModelReference(Names.CheckModel(modelId ?? Names.ModelOfFolder(folder, used)), Path.GetFullPath(folder), used);
    }

    private static ModelReference OfConfigured(string id, ConfiguredModel configured, string? dtype, string? modelId)
    {
        if (!Directory.Exists(configured.Path))
        {
            throw new GranaryException(
                ErrorCodes.ModelNotFound,
                $"Granary:Models:{id}:Path is '{configured.Path}', which is no folder.",
                "Correct the setting, or give the folder's path.");
        }

        // Another dtype than the configured one is another model: its id says so, as a folder's does. The codec was chosen for the configured one.
        var used = dtype ?? configured.Dtype ?? DefaultDtype;
        var differs = dtype is not null && dtype != (configured.Dtype ?? DefaultDtype);
        return new ModelReference(Names.CheckModel(modelId ?? (differs ? $"{id}-{dtype}" : id)), Path.GetFullPath(configured.Path), used, differs ? DefaultCodec : configured.Codec ?? DefaultCodec);
    }

    private static string KnownOf(Settings settings) =>
        settings.Models.Count == 0 ? "" : $" ({string.Join(", ", settings.Models.Keys.Order(StringComparer.Ordinal))})";
}
