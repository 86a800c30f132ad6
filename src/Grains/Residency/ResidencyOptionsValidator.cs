using Microsoft.Extensions.Options;

namespace Granary.Grains.Residency;

/// <summary>Refuses budgets that could hold nothing, before the silo starts.</summary>
internal sealed class ResidencyOptionsValidator : IValidateOptions<ResidencyOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ResidencyOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (options.BudgetBytes <= 0)
        {
            faults.AddError($"is {options.BudgetBytes}. Give bytes > 0, or leave it out for half of the memory.", "Granary:Residency:BudgetBytes");
        }

        if (options.PinnedShare is not (>= 0 and < 1))
        {
            faults.AddError($"is {options.PinnedShare}. Give 0 to less than 1.", "Granary:Residency:PinnedShare");
        }

        if (options.ConcurrentWrites is < 1 or > 64)
        {
            faults.AddError($"is {options.ConcurrentWrites}. Give 1 to 64.", "Granary:Residency:ConcurrentWrites");
        }

        return faults.Build();
    }
}
