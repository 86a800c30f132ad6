using Granary.Errors;
using Granary.Naming;

namespace Granary.Contexts;

/// <summary>Names a context: its tenant, its model and its own name. <see cref="Parse"/> and <see cref="ToString"/> round-trip.</summary>
/// <param name="Tenant">The namespace it lies in.</param>
/// <param name="Model">The model id.</param>
/// <param name="Name">Its name.</param>
public readonly record struct ContextId(string Tenant, string Model, string Name)
{
    /// <summary>Parses <c>{tenant}/{model}/{name}</c>.</summary>
    /// <param name="key">The grain key.</param>
    /// <returns>The id, its parts checked.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: a part does not follow its pattern.</exception>
    public static ContextId Parse(string key)
    {
        var parts = key.Split('/');
        return parts.Length == 3
            ? new ContextId(Names.CheckTenant(parts[0]), Names.CheckModel(parts[1]), Names.Check("context", parts[2]))
            : throw new GranaryException(ErrorCodes.InvalidName, $"'{key}' is not a context's key.", "Use tenant/model/name.");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Tenant}/{Model}/{Name}";
}
