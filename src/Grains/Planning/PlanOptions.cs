using Granary.Contexts;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Planning;

/// <summary>How asks that do not choose are planned. Bound to <c>Granary:Plan</c>.</summary>
public sealed class PlanOptions
{
    /// <summary>Gets or sets what such an ask gets: <c>auto</c>, whatever is quicker, or <c>load</c>, which spares the device.</summary>
    /// <value>Default: <c>auto</c>.</value>
    public string Default { get; set; } = "auto";

    /// <summary>Gets the choice that holds for an ask.</summary>
    /// <param name="asked">What it says itself.</param>
    internal PlanChoice Resolve(PlanChoice asked) => asked == PlanChoice.Auto && Is(PlanChoice.Load) ? PlanChoice.Load : asked;

    /// <summary>Gets whether it is one of the choices.</summary>
    internal bool IsKnown => Is(PlanChoice.Auto) || Is(PlanChoice.Load);

    private bool Is(PlanChoice choice) => string.Equals(Default, choice.ToString(), StringComparison.OrdinalIgnoreCase);
}

/// <summary>Refuses what is no choice, before the silo starts.</summary>
internal sealed class PlanOptionsValidator : IValidateOptions<PlanOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, PlanOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (!options.IsKnown)
        {
            faults.AddError($"is '{options.Default}'. Give auto or load.", "Granary:Plan:Default");
        }

        return faults.Build();
    }
}
