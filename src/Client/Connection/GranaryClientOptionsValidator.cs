using Microsoft.Extensions.Options;

namespace Granary.Client.Connection;

/// <summary>Reports every fault of the options at once.</summary>
internal sealed class GranaryClientOptionsValidator : IValidateOptions<GranaryClientOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, GranaryClientOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (!ClusterAddress.TryParse(options.Cluster, out _))
        {
            faults.AddError($"is '{options.Cluster}'. {ClusterAddress.Forms}", nameof(options.Cluster));
        }

        CheckId(faults, options.ClusterId, nameof(options.ClusterId));
        CheckId(faults, options.ServiceId, nameof(options.ServiceId));
        CheckTime(faults, options.ResponseTimeout, nameof(options.ResponseTimeout));
        CheckTime(faults, options.ConnectTimeout, nameof(options.ConnectTimeout));
        CheckTime(faults, options.GatewayRefresh, nameof(options.GatewayRefresh));
        if (options.RetryFor < TimeSpan.Zero)
        {
            faults.AddError($"is {options.RetryFor}. Give a time, or zero for no second try.", nameof(options.RetryFor));
        }

        return faults.Build();
    }

    private static void CheckId(ValidateOptionsResultBuilder faults, string id, string option)
    {
        if (string.IsNullOrWhiteSpace(id))
        {
            faults.AddError("is empty. Give the id that the silos have, or leave it out for 'granary'.", option);
        }
    }

    private static void CheckTime(ValidateOptionsResultBuilder faults, TimeSpan time, string option)
    {
        if (time <= TimeSpan.Zero)
        {
            faults.AddError($"is {time}. Give a time above zero.", option);
        }
    }
}
