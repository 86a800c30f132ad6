using Granary.Errors;
using Granary.Naming;

namespace Granary.Datasets;

/// <summary>Names a data set. <see cref="Parse"/> and <see cref="ToString"/> round-trip.</summary>
/// <param name="Tenant">The namespace it lies in.</param>
/// <param name="Name">Its name.</param>
public readonly record struct DatasetId(string Tenant, string Name)
{
    /// <summary>The most items of a shard.</summary>
    public const int ShardItems = 256;

    /// <summary>Parses <c>{tenant}/{dataset}</c>.</summary>
    /// <param name="key">The grain key.</param>
    /// <returns>The id, its parts checked.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: a part does not follow its pattern.</exception>
    public static DatasetId Parse(string key)
    {
        var parts = key.Split('/');
        return parts.Length == 2
            ? new DatasetId(Names.CheckTenant(parts[0]), Names.Check("data set", parts[1]))
            : throw new GranaryException(ErrorCodes.InvalidName, $"'{key}' is not a data set's key.", "Use tenant/dataset.");
    }

    /// <summary>Gets the key of one of its shards.</summary>
    /// <param name="shard">From 0.</param>
    /// <returns><c>{tenant}/{dataset}/{shard:D5}</c>.</returns>
    public string ShardKey(int shard) => $"{this}/{shard:D5}";

    /// <inheritdoc/>
    public override string ToString() => $"{Tenant}/{Name}";
}
