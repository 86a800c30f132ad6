using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Errors;
using Granary.Grains.Residency;
using Granary.Inference.Pages;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(AskStreamAsync(request, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> GenerateAsync(GenerateRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(GenerateStreamAsync(request, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<ScoreResult> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken) =>
        ErrorEdge.GuardAsync(ScoreStreamAsync(request, cancellationToken), cancellationToken);

    private async IAsyncEnumerable<AnswerPart> AskStreamAsync(AskRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        TokenLimits.CheckOptions(request.Options);
        var prompt = await ReadAsync("prompt", request.Prompt);
        var manifest = (await RequireAsync(cancellationToken)).Manifest;
        var uncheckedFor = _uncheckedFor;
        if (request.IfVersion is { } wanted && wanted != manifest.Version)
        {
            throw new GranaryException(ErrorCodes.ContextConflict, $"'{Key}' is at version {manifest.Version}, not {wanted}.", "Read the context again and decide anew.");
        }

        var newTokens = TokenLimits.NewTokens(manifest.TokenIds.Length, prompt.Length, request.Options, Model);
        var tailBytes = Model.Loaded.Layout.BytesPerToken * (prompt.Length + newTokens);
        using var grant = request.Plan == PlanChoice.Recompute
            ? await ComputePrivatelyAsync(await ChainOfAsync(manifest, cancellationToken), tailBytes, isPrivate: true, request.Batch, "recompute was asked for", cancellationToken)
            : await GrantAsync(manifest, tailBytes, request.Batch, cancellationToken);
        var answering = new Answering(Model, Worker, registry, time)
        {
            Context = manifest,
            Prompt = prompt,
            NewTokens = newTokens,
            Options = request.Options,
            Batch = request.Batch,
            Arrived = arrived,
            FindSeam = () => FindSeam(manifest.TokenIds, request.Prompt, prompt),
            ManifestAge = uncheckedFor,
        };
        await foreach (var part in answering.RunAsync(grant, cancellationToken))
        {
            yield return part;
        }
    }

    private async IAsyncEnumerable<AnswerPart> GenerateStreamAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        if (!IsNameless)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{Key}' is a stored context.", "Ask it, or generate under a name that starts with '~'.");
        }

        TokenLimits.CheckOptions(request.Options);
        var context = await ReadAsync("context", request.Context);
        var prompt = await ReadAsync("prompt", request.Prompt);
        var newTokens = TokenLimits.NewTokens(context.Length, prompt.Length, request.Options, Model);
        var tailBytes = Model.Loaded.Layout.BytesPerToken * (prompt.Length + newTokens);
        using var grant = await ComputePrivatelyAsync(
            await GetChainAsync(context, cancellationToken), tailBytes, request.NoCache, request.Batch, "caches were not to be used", cancellationToken);
        var answering = new Answering(Model, Worker, registry, time)
        {
            Prompt = prompt,
            NewTokens = newTokens,
            Options = request.Options,
            Batch = request.Batch,
            Arrived = arrived,
            FindSeam = () => FindSeam(context, request.Prompt, prompt),
        };
        await foreach (var part in answering.RunAsync(grant, cancellationToken))
        {
            yield return part;
        }
    }

    private async IAsyncEnumerable<ScoreResult> ScoreStreamAsync(ScoreRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var continuation = await ReadAsync("continuation", request.Continuation);
        var manifest = (await RequireAsync(cancellationToken)).Manifest;
        var layout = Model.Loaded.Layout;
        TokenLimits.NewTokens(manifest.TokenIds.Length, continuation.Length - 1, new GenerationOptions { MaxNewTokens = 1 }, Model);
        using var grant = await GrantAsync(manifest, layout.BytesPerToken * continuation.Length, batch: false, cancellationToken);
        using var tail = KvTail.Allocate(layout, manifest.TokenIds.Length, continuation.Length, grant.Tail);
        var lastPage = manifest.TokenIds.AsMemory(grant.Reader.Pages[^1].Start);
        var work = new DeviceWork<double[]>(model =>
            model.ScoreAsync(grant.Reader.Pages, lastPage, continuation, tail, batch: false, cancellationToken));
        var id = registry.Add(work);
        double[] scores;
        try
        {
            await Worker.StartAsync(id);
            scores = await work.Result;
        }
        finally
        {
            registry.Remove(id);
        }

        yield return new ScoreResult(continuation, scores, scores.Sum());
    }

    // Joint tokenization is only defined where the context's ids came from text: where tokenizing their text gives them back.
    private string? FindSeam(int[] context, TokenInput promptInput, int[] prompt)
    {
        if (promptInput.Text is null || Model.Loaded.Tokenizer is not { } tokenizer)
        {
            return null;
        }

        var text = tokenizer.Decode(context);
        if (!tokenizer.Encode(text).AsSpan().SequenceEqual(context))
        {
            return null;
        }

        int[] apart = [.. context, .. prompt];
        return tokenizer.Encode(text + promptInput.Text).AsSpan().SequenceEqual(apart) ? "same" : "differs";
    }
}
