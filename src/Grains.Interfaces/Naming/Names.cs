using System.Text.RegularExpressions;
using Granary.Errors;

namespace Granary.Naming;

/// <summary>The patterns that names must follow, so that none can leave its prefix in the store.</summary>
/// <remarks>Tenants, contexts and data sets: <c>[A-Za-z0-9._-]{1,128}</c>, not starting with a dot; a data set's contexts, <c>{dataset}.{item}</c>, may have <c>%</c> and two hexadecimal digits for any other character. Models: <c>[a-z0-9._-]{1,64}</c>.</remarks>
public static partial class Names
{
    /// <summary>The tenant that is used where none is named.</summary>
    public const string DefaultTenant = "default";

    /// <summary>The owner of the chunks that tenants share, where they do. It has a place in the store like a tenant, and no contexts.</summary>
    public const string SharedTenant = "shared";

    /// <summary>Checks a tenant's, context's or data set's name.</summary>
    /// <param name="kind">What is named, for the message: <c>context</c>, <c>tenant</c>, <c>data set</c>.</param>
    /// <param name="name">The name.</param>
    /// <returns>The name.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: choose a name that follows the pattern.</exception>
    public static string Check(string kind, string name) => NamePattern().IsMatch(name) || (kind == "context" && DatasetContextPattern().IsMatch(name))
        ? name
        : throw new GranaryException(
            ErrorCodes.InvalidName,
            $"'{name}' cannot name a {kind}.",
            "Use 1 to 128 of A-Z a-z 0-9 . _ - and do not start with a dot.");

    /// <summary>Checks the name of a tenant who has contexts.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The name.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: choose a name that follows the pattern and is not <see cref="SharedTenant"/>.</exception>
    public static string CheckTenant(string name) => name != SharedTenant
        ? Check("tenant", name)
        : throw new GranaryException(
            ErrorCodes.InvalidName,
            $"'{name}' cannot name a tenant with contexts: it owns the chunks that tenants share.",
            "Choose another name; granary store takes this one.");

    /// <summary>Checks a model id.</summary>
    /// <param name="model">The id.</param>
    /// <returns>The id.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: choose an id that follows the pattern.</exception>
    public static string CheckModel(string model) => ModelPattern().IsMatch(model)
        ? model
        : throw new GranaryException(
            ErrorCodes.InvalidName,
            $"'{model}' cannot be a model id.",
            "Use 1 to 64 of a-z 0-9 . _ - and do not start with a dot.");

    /// <summary>Gets the model id of a checkpoint folder: its name in lower case, other characters as <c>-</c>.</summary>
    /// <param name="folder">The folder's path.</param>
    /// <param name="dtype">What is computed in; anything but <c>float32</c> is appended.</param>
    /// <returns>The id, at most 64 characters.</returns>
    public static string ModelOfFolder(string folder, string dtype)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        var id = OtherThanModelCharacters().Replace(name.ToLowerInvariant(), "-").TrimStart('.');
        var suffix = dtype == "float32" ? "" : "-" + dtype;
        return string.Concat(id.AsSpan(0, Math.Min(id.Length, 64 - suffix.Length)), suffix);
    }

    /// <summary>Gets the name of a data set's context: <c>{dataset}.{item}</c>, characters outside the pattern percent-encoded.</summary>
    /// <param name="dataset">The data set's name.</param>
    /// <param name="item">The item's id.</param>
    /// <returns>The name.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: the result is longer than 128 characters; shorten the item's id.</exception>
    public static string OfDatasetItem(string dataset, string item)
    {
        var encoded = string.Concat(item.EnumerateRunes().Select(rune => rune.IsAscii && NameCharacter().IsMatch(rune.ToString())
            ? rune.ToString()
            : string.Concat(System.Text.Encoding.UTF8.GetBytes(rune.ToString()).Select(b => $"%{b:X2}"))));
        return Check("context", $"{dataset}.{encoded}");
    }

    [GeneratedRegex(@"\A(?!\.)[A-Za-z0-9._-]{1,128}\z")]
    private static partial Regex NamePattern();

    // {dataset}.{item}: only what cannot stand for itself is encoded, so that no name has a second spelling and %2e%2e is none.
    [GeneratedRegex(@"\A(?=.{1,128}\z)(?!\.)[A-Za-z0-9._-]+\.(?:[A-Za-z0-9._-]|%(?!2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9A])[0-9A-F]{2})*\z")]
    private static partial Regex DatasetContextPattern();

    [GeneratedRegex(@"\A(?!\.)[a-z0-9._-]{1,64}\z")]
    private static partial Regex ModelPattern();

    [GeneratedRegex("[^a-z0-9._-]")]
    private static partial Regex OtherThanModelCharacters();

    [GeneratedRegex("[A-Za-z0-9._-]")]
    private static partial Regex NameCharacter();
}
