using Microsoft.Extensions.Options;

namespace Granary.DocumentQuestions;

/// <summary>The service's own settings, <c>Documents</c>.</summary>
internal sealed class DocumentOptions
{
    /// <summary>Gets or sets the id of the model that answers.</summary>
    /// <value>Default: <c>ledger-4m</c>, the bundled one.</value>
    public string Model { get; set; } = "ledger-4m";

    /// <summary>Gets or sets the most tokens of an answer.</summary>
    /// <value>At least 1. Default: 64.</value>
    public int MaxAnswerTokens { get; set; } = 64;
}

/// <summary>Reports every fault of the settings at once.</summary>
internal sealed class DocumentOptionsValidator : IValidateOptions<DocumentOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, DocumentOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (string.IsNullOrWhiteSpace(options.Model))
        {
            faults.AddError("is empty. Give the id of a model that is served.", "Documents:Model");
        }

        if (options.MaxAnswerTokens < 1)
        {
            faults.AddError($"is {options.MaxAnswerTokens}. Give at least 1.", "Documents:MaxAnswerTokens");
        }

        return faults.Build();
    }
}
