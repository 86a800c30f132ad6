using Granary.Errors;

namespace Granary.Models;

/// <summary>Names a model worker: where it runs, and what it serves. <see cref="Parse"/> and <see cref="ToString"/> round-trip.</summary>
/// <param name="SiloName">The silo it is pinned to.</param>
/// <param name="Device">The device, as <c>cpu</c>.</param>
/// <param name="Model">The model id.</param>
public readonly record struct WorkerId(string SiloName, string Device, string Model)
{
    /// <summary>Parses <c>{siloName}/{device}/{model}</c>.</summary>
    /// <param name="key">The grain key.</param>
    /// <returns>The id.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidName"/>: the key has other than three parts.</exception>
    public static WorkerId Parse(string key)
    {
        var parts = key.Split('/');
        return parts.Length == 3
            ? new WorkerId(parts[0], parts[1], parts[2])
            : throw new GranaryException(ErrorCodes.InvalidName, $"'{key}' is not a worker's key.", "Use silo/device/model.");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{SiloName}/{Device}/{Model}";
}
