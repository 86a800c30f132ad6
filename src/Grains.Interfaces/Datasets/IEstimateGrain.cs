namespace Granary.Datasets;

/// <summary>Tells what contexts would take before they are created. Key: <c>{tenant}/{model}/~{any}</c>, so that it is placed like a context, where the model is served.</summary>
/// <remarks>It changes nothing: neither the store nor a device's memory.</remarks>
[Alias("granary.IEstimateGrain")]
public interface IEstimateGrain : IGrainWithStringKey
{
    /// <summary>Estimates.</summary>
    /// <param name="request">The contexts.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>One element for each, in their order. One that could not be created says why, and the next ones go on.</returns>
    [Alias("Estimate")]
    IAsyncEnumerable<ContextEstimate> EstimateAsync(EstimateRequest request, CancellationToken cancellationToken = default);
}
