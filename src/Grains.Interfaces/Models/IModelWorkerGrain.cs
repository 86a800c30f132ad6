namespace Granary.Models;

/// <summary>The façade of one silo's engine for one model. Key: <c>{siloName}/{device}/{model}</c> (<see cref="WorkerId"/>); it calls no grain (invariant 6).</summary>
/// <remarks>KV and tokens do not cross its calls: work is named by an entry of the silo's registry (invariant 5), and no call waits for the engine (invariant 8).</remarks>
[Alias("granary.IModelWorkerGrain")]
public interface IModelWorkerGrain : IGrainWithStringKey
{
    /// <summary>Describes the model.</summary>
    /// <returns>Its description.</returns>
    [Alias("Describe")]
    ValueTask<ModelDescription> DescribeAsync();

    /// <summary>Tokenizes text, special tokens taken literally.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Its ids.</returns>
    [Alias("Tokenize")]
    ValueTask<int[]> TokenizeAsync(string text);

    /// <summary>Queues a page to compute, a generation or a score.</summary>
    /// <param name="work">An entry of this silo's registry, which also hands out its result.</param>
    /// <returns>A task that ends when the work is queued.</returns>
    [Alias("Start")]
    ValueTask StartAsync(LeaseId work);
}
