using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Granary.Contexts;
using Granary.Grains.Models;
using Granary.Grains.Residency;
using Granary.Grains.Telemetry;
using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;
using Granary.Models;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

/// <summary>Decodes one answer: registers the work, has the worker start it, and passes its tokens on.</summary>
internal sealed class Answering(ServedModel model, IModelWorkerGrain worker, KvRegistry registry, TimeProvider time)
{
    /// <summary>Gets the stored context; <see langword="null"/> for a generation.</summary>
    public ContextManifest? Context { get; init; }

    /// <summary>Gets the context's ids.</summary>
    public required int[] Prior { get; init; }

    /// <summary>Gets the prompt's ids.</summary>
    public required int[] Prompt { get; init; }

    /// <summary>Gets the answer's first tokens, where they have been chosen before.</summary>
    public int[] Given { get; init; } = [];

    /// <summary>Gets how many of the answer's tokens the caller has already.</summary>
    public int Told { get; init; }

    /// <summary>Gets the most tokens to decode.</summary>
    public required int NewTokens { get; init; }

    /// <summary>Gets how to decode.</summary>
    public required GenerationOptions Options { get; init; }

    /// <summary>Gets whether it yields to interactive work.</summary>
    public required bool Batch { get; init; }

    /// <summary>Gets when the request arrived.</summary>
    public required long Arrived { get; init; }

    /// <summary>Gets what finds out about the seam; called while the engine works.</summary>
    public required Func<string?> FindSeam { get; init; }

    /// <summary>Gets how old the manifest's check is, where the store did not answer.</summary>
    public TimeSpan? ManifestAge { get; init; }

    /// <summary>Runs it. The pages and the tail outlive the engine's last step on them, whatever the caller does.</summary>
    public async IAsyncEnumerable<AnswerPart> RunAsync(PageGrant grant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var contextTokens = grant.Reader.Pages.Sum(static page => page.Count);
        var seed = Options.Temperature > 0 ? Options.Seed ?? Random.Shared.NextInt64() : Options.Seed;
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var tail = KvTail.Allocate(model.Loaded.Layout, contextTokens, Prompt.Length + NewTokens, grant.Tail);

        // As many tokens as the answer may have: the bound is the admission's.
        var tokens = Channel.CreateBounded<GeneratedToken>(new BoundedChannelOptions(NewTokens) { SingleReader = true, SingleWriter = true });
        var work = new DeviceWork<GenerationResult>(loaded => loaded.GenerateAsync(new GenerationWork
        {
            Pages = grant.Reader.Pages,
            PriorIds = Options.RepetitionPenalty == 1 ? default : Prior.AsMemory(), // nothing else looks at them
            PromptIds = Prompt,
            GivenIds = Given,
            Tail = tail,
            Options = new SamplingOptions
            {
                MaxNewTokens = NewTokens,
                Temperature = Options.Temperature,
                TopK = Options.TopK,
                TopP = Options.TopP,
                Seed = seed ?? 0,
                RepetitionPenalty = Options.RepetitionPenalty,
                Stop = Options.Stop,
                StopIds = Options.StopIds,
                IgnoreEos = Options.IgnoreEos,
                LogProbabilities = Options.LogProbabilities,
                TopLogProbabilities = Options.TopLogProbabilities,
            },
            Batch = Batch,
            Streamed = !Batch,
            OnToken = token => tokens.Writer.TryWrite(token),
            CancellationToken = stopping.Token,
        }));
        var id = registry.Add(work);
        var started = false;
        var firstTokenSeconds = 0.0;
        string? seam;
        var (decoded, batching) = (new List<GeneratedToken>(NewTokens), new TokenBatching(time));
        try
        {
            await worker.StartAsync(id);
            started = true;
            seam = FindSeam();
            _ = work.Result.ContinueWith(_ => tokens.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            var hasCome = await tokens.Reader.WaitToReadAsync(cancellationToken); // ReadAllAsync costs each token a turn more

            // Told with the first token: alone it would be a message more, and take its time from the engine at work.
            yield return new AnswerPart(null, null, new AnswerStart(contextTokens, Context?.Version, Context?.Incarnation, Options.Temperature > 0 ? seed : null));
            for (; hasCome; hasCome = await tokens.Reader.WaitToReadAsync(cancellationToken))
            {
                if (batching.Hold(work.Result, cancellationToken) is { } hold)
                {
                    await hold;
                }

                while (tokens.Reader.TryRead(out var token))
                {
                    if (decoded.Count == 0)
                    {
                        firstTokenSeconds = time.GetElapsedTime(Arrived).TotalSeconds;
                        if (Told == 0)
                        {
                            Instruments.FirstToken.Record(firstTokenSeconds); // of a stream that goes on, the first silo's was
                        }
                    }

                    decoded.Add(token);
                    if (token.Index >= Told)
                    {
                        yield return new AnswerPart(new AnswerToken(token.Index, token.Id, token.Text, token.LogProbability), null);
                    }
                }
            }

            var result = await work.Result;
            yield return new AnswerPart(null, Finish(result, decoded, grant, contextTokens, seed, firstTokenSeconds) with { Seam = seam });
        }
        finally
        {
            registry.Remove(id);
            await stopping.CancelAsync();
            if (started)
            {
                // The engine lets go of pages and tail before they are freed.
                await Task.WhenAny(work.Result);
            }
        }
    }

    private Answer Finish(GenerationResult result, List<GeneratedToken> decoded, PageGrant grant, int contextTokens, long? seed, double firstTokenSeconds)
    {
        Instruments.DecodeTokens.Add(result.TokenIds.Length - Told);
        Instruments.Plans.Add(1, Instruments.Tag("decision", grant.Decision));
        return new Answer
        {
            Context = Context?.Name,
            Model = model.Id,
            Version = Context?.Version,
            Numerics = model.Numerics,
            Exact = model.IsExact,
            Text = result.Text,
            TokenIds = result.TokenIds,
            LogProbabilities = Options.LogProbabilities ? result.LogProbabilities : null,
            TopLogProbabilities = Options.TopLogProbabilities > 0
                ? [.. decoded.Select(static token => token.Top!.Select(static top => new TokenAlternative(top.Id, top.LogProbability)).ToArray())]
                : null,
            FinishReason = result.FinishReason,
            Seed = Options.Temperature > 0 ? seed : null,
            Usage = new AnswerUsage(
                contextTokens, Prompt.Length, grant.ResidentTokens, grant.RestoredTokens, grant.RecomputedTokens, result.TokenIds.Length),
            FirstTokenSeconds = firstTokenSeconds,
            Plan = new AnswerPlan(grant.Decision, grant.Reason),
            VersionAgeSeconds = ManifestAge?.TotalSeconds,
        };
    }
}
