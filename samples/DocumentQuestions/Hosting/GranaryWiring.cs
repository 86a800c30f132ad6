using Granary.Client;
using Granary.Grains.Hosting;
using Granary.Silo;

namespace Granary.DocumentQuestions.Hosting;

/// <summary>Where the service's <see cref="IGranaryClient"/> comes from. Nothing else of the service depends on it.</summary>
internal static class GranaryWiring
{
    private const string BundledModel = "ledger-4m";

    /// <summary>Adds a client of the cluster that <c>Granary:Cluster</c> names; where it names none, a silo in this process, on the bundled model unless <c>Granary:Models</c> has others.</summary>
    public static void AddGranary(this IHostApplicationBuilder builder)
    {
        var settings = builder.Configuration.GetSection("Granary");
        if (settings["Cluster"] is { Length: > 0 })
        {
            builder.Services.AddGranaryClient(settings.Bind);
            return;
        }

        builder.AddGranaryEmbedded(options =>
        {
            if (options.Models.Count == 0)
            {
                options.Models[BundledModel] = new ModelOptions { Path = Path.Combine(AppContext.BaseDirectory, "models", BundledModel) };
            }
        });
    }
}
