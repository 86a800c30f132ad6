namespace Granary.Inference.Benchmarks;

/// <summary>What is told of repeated measurements of one thing.</summary>
public static class Samples
{
    /// <summary>Gets the middle one; of an even number, the mean of the two in the middle.</summary>
    /// <param name="samples">At least one.</param>
    /// <returns>The median.</returns>
    /// <exception cref="ArgumentException">There are none: measure first.</exception>
    public static double Median(IReadOnlyList<double> samples)
    {
        if (samples.Count == 0)
        {
            throw new ArgumentException("There are no samples.", nameof(samples));
        }

        double[] sorted = [.. samples.Order()];
        var middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
