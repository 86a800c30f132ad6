using Granary.Bench.Ask.Silos;
using Granary.Client;
using Granary.Contexts;

namespace Granary.Bench.Ask.Works;

/// <summary>What all works ask: made-up ids, greedy answers of a fixed length.</summary>
internal static class Answers
{
    private const int Ids = 2000; // all vocabularies have as many

    /// <summary>Gets the prompt.</summary>
    public static int[] Prompt { get; } = [11, 12, 13, 14, 15, 16, 17, 18];

    /// <summary>Gets a context's ids; another seed gives others from the first id on.</summary>
    public static int[] ContextIds(int count, int seed = 0)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(1, Ids))];
    }

    /// <summary>Asks, and takes the times at the caller.</summary>
    public static async Task<AnswerTimes> TimeAsync(IGranaryContext context, int tokens, CancellationToken cancellationToken)
    {
        var request = new AskRequest { Prompt = TokenInput.OfTokens(Prompt), Options = new GenerationOptions { MaxNewTokens = tokens, IgnoreEos = true } };
        var time = TimeProvider.System;
        var (allocated, processor, started, first) = (GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime, time.GetTimestamp(), 0L);
        Answer? answer = null;
        await foreach (var part in context.AskAsync(request, cancellationToken))
        {
            first = first == 0 ? time.GetTimestamp() : first;
            answer = part.Answer ?? answer;
        }

        var ended = time.GetTimestamp();
        return new AnswerTimes(
            time.GetElapsedTime(started, first).TotalSeconds,
            time.GetElapsedTime(started, ended).TotalSeconds,
            GC.GetTotalAllocatedBytes() - allocated,
            (Environment.CpuUsage.TotalTime - processor).TotalSeconds,
            answer?.TokenIds ?? throw new InvalidOperationException("The stream ended without an answer."));
    }
}
