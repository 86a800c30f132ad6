using Granary.Client.Connection;
using Granary.Errors;
using Granary.Grains.Hosting;
using Microsoft.Extensions.Options;

namespace Granary.Silo;

/// <summary>Refuses settings with which a silo could not start, all faults at once.</summary>
internal sealed class GranaryOptionsValidator : IValidateOptions<GranaryOptions>
{
    /// <summary>Refuses what <see cref="Validate"/> finds.</summary>
    /// <exception cref="GranaryException"><c>InvalidArgument</c>: the message names every setting that is wrong.</exception>
    public static void Check(GranaryOptions options)
    {
        var faults = new GranaryOptionsValidator().Validate(null, options);
        if (faults.Failed)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, faults.FailureMessage, "Correct the settings.");
        }
    }

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

        CheckRole(faults, options);
        CheckMembership(faults, options.Silo);
        return faults.Build();
    }

    private static void CheckRole(ValidateOptionsResultBuilder faults, GranaryOptions options)
    {
        switch (options.Silo.Role)
        {
            case SiloRole.Worker when options.Models.Count == 0:
                faults.AddError("is worker, and no model is named. Name one in Granary:Models, or choose front or both.", "Granary:Silo:Role");
                break;
            case SiloRole.Front when options.Models.Count > 0:
                faults.AddError($"is front, which serves no model, and Granary:Models names {string.Join(", ", options.Models.Keys.Order(StringComparer.Ordinal))}. Choose worker or both, or leave the models out.", "Granary:Silo:Role");
                break;
            case { } role when !Enum.IsDefined(role):
                faults.AddError($"is {role}. Give worker, front or both, or leave it out.", "Granary:Silo:Role");
                break;
            default:
                break;
        }
    }

    private static void CheckMembership(ValidateOptionsResultBuilder faults, GranarySiloOptions silo)
    {
        if (silo.DrainTimeout < TimeSpan.Zero || silo.DrainTimeout > TimeSpan.FromDays(1))
        {
            faults.AddError($"is {silo.DrainTimeout}. Give 0 to 1.00:00:00.", $"Granary:Silo:{nameof(silo.DrainTimeout)}");
        }

        CheckTime(silo.ResponseTimeout, nameof(silo.ResponseTimeout), TimeSpan.FromMinutes(1));
        CheckTime(silo.ProbeTimeout, nameof(silo.ProbeTimeout), TimeSpan.FromMinutes(1));
        CheckTime(silo.MembershipRefresh, nameof(silo.MembershipRefresh), TimeSpan.FromHours(1));
        CheckCount(silo.MissedProbes, nameof(silo.MissedProbes), 100);
        CheckCount(silo.DeathVotes, nameof(silo.DeathVotes), 10);

        void CheckTime(TimeSpan time, string setting, TimeSpan most)
        {
            if (time <= TimeSpan.Zero || time > most)
            {
                faults.AddError($"is {time}. Give a time above zero, {most} at most.", $"Granary:Silo:{setting}");
            }
        }

        void CheckCount(int count, string setting, int most)
        {
            if (count < 1 || count > most)
            {
                faults.AddError($"is {count}. Give 1 to {most}.", $"Granary:Silo:{setting}");
            }
        }
    }
}
