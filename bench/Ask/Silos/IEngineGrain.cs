namespace Granary.Bench.Ask.Silos;

/// <summary>The benchmark's hand inside a silo: the silo's engine without Granary's path, and Orleans' stream without the engine.</summary>
[Alias("granary.bench.engine")]
internal interface IEngineGrain : IGrainWithIntegerKey
{
    /// <summary>Computes a context on the silo's own engine, for <see cref="GenerateAsync"/> alone.</summary>
    [Alias("Prefill")]
    Task PrefillAsync(string model, int[] context);

    /// <summary>Answers a prompt over it, greedily, on the silo's own engine.</summary>
    [Alias("Generate")]
    Task<AnswerTimes> GenerateAsync(int[] prompt, int tokens);

    /// <summary>A bare stream: each element is the timestamp at which it was made, in the grain's own turn.</summary>
    [Alias("Stream")]
    IAsyncEnumerable<long> StreamAsync(int count, TimeSpan pace, CancellationToken cancellationToken);

    /// <summary>A bare stream of the tokens that the same engine answers the prompt with.</summary>
    [Alias("StreamTokens")]
    IAsyncEnumerable<int> StreamTokensAsync(int[] prompt, int tokens, CancellationToken cancellationToken);

    /// <summary>Answers the prompt on the paced engine.</summary>
    /// <returns>Of each token but the first, how long after the end of its step the engine handed it over, in microseconds.</returns>
    [Alias("HandOver")]
    Task<double[]> HandOverAsync(int[] prompt, int tokens, TimeSpan pace);

    /// <summary>Slows the engine's steps down to a pace.</summary>
    [Alias("BeginPace")]
    Task BeginPaceAsync(TimeSpan pace);

    /// <summary>Lets it run freely again, and tells when each step had ended.</summary>
    [Alias("EndPace")]
    Task<long[]> EndPaceAsync();
}
