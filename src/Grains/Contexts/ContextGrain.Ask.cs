using System.Runtime.CompilerServices;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Placement;
using Granary.Grains.Residency;
using Granary.Inference.Pages;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

internal sealed partial class ContextGrain
{
    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(AskStreamAsync(request, cancellationToken));

    /// <inheritdoc/>
    public IAsyncEnumerable<AnswerPart> GenerateAsync(GenerateRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(GenerateStreamAsync(request, cancellationToken));

    /// <inheritdoc/>
    public IAsyncEnumerable<ScoreResult> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken) =>
        _work.ServeAsync(ScoreStreamAsync(request, cancellationToken));

    private async IAsyncEnumerable<AnswerPart> AskStreamAsync(AskRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        TokenLimits.CheckOptions(request.Options, Model);
        var operationId = OperationIds.Check(request.OperationId);
        var prompt = await ReadAsync("prompt", request.Prompt);
        var (turn, newTokens, admitted) = await OnNewestAsync(newest => AdmitAsync(request, prompt, newest, cancellationToken), cancellationToken);
        using var grant = admitted;
        NoteHit();
        var (manifest, uncheckedFor) = (turn.Context, _uncheckedFor);
        var answering = new Answering(Model, Worker, registry, time)
        {
            Context = manifest,
            Prior = manifest.TokenIds,
            Prompt = prompt,
            Given = turn.Given,
            Told = request.Resume?.TokenIds.Length ?? 0,
            NewTokens = newTokens,
            Options = WithSeed(request.Options, request.Resume),
            Batch = request.Batch,
            Arrived = arrived,
            FindSeam = () => FindSeam(manifest.TokenIds, request.Prompt, prompt),
            ManifestAge = uncheckedFor,
        };
        Answer? whole = null;
        await foreach (var part in answering.RunAsync(grant, cancellationToken))
        {
            whole = part.Answer;
            if (whole is null || !request.Keep)
            {
                yield return part;
            }
        }

        if (request.Keep && whole is { } answer)
        {
            grant.Dispose(); // the new version is admitted by itself: nothing is held while bytes are waited for
            var kept = await Grow(new Growth([.. prompt, .. answer.TokenIds], manifest.Version, request.Batch, operationId)).JoinAsync(cancellationToken);
            yield return new AnswerPart(null, answer with { KeptVersion = kept.Version });
        }
    }

    // A version that appears while bytes are waited for is served instead. Each time round one was committed: it ends when the context stops growing.
    private async Task<T> OnNewestAsync<T>(Func<ContextManifest, Task<T>> serveAsync, CancellationToken cancellationToken)
    {
        while (true)
        {
            var newest = (await RequireAsync(cancellationToken)).Manifest;
            try
            {
                return await serveAsync(newest);
            }
            catch (GranaryException e) when (e.Code == ErrorCodes.ContextConflict && HasGrown(newest))
            {
                // It is that version's turn.
            }
        }
    }

    private async Task<(AskedTurn Turn, int NewTokens, PageGrant Grant)> AdmitAsync(AskRequest request, int[] prompt, ContextManifest newest, CancellationToken cancellationToken)
    {
        if (request.Resume?.Start.Version > newest.Version)
        {
            newest = (await LoadAsync(cancellationToken, fresh: true) ?? throw NotFound()).Manifest; // it was admitted elsewhere, on what was committed since
        }

        var turn = TurnOf(request, prompt, newest);
        var manifest = turn.Context;
        var newTokens = TokenLimits.NewTokens(manifest.TokenIds.Length, prompt.Length, request.Options, Model);
        var tailBytes = Model.Loaded.Layout.BytesOf(prompt.Length + newTokens);
        var grant = request.Plan == PlanChoice.Recompute
            ? await ComputePrivatelyAsync(await ChainOfAsync(manifest, cancellationToken), tailBytes, isPrivate: true, request.Batch, "recompute was asked for", cancellationToken)
            : manifest.Version == newest.Version
            ? await GrantAsync(manifest, tailBytes, request.Plan, request.Batch, cancellationToken)
            : await ComputePrivatelyAsync(
                await ChainOfAsync(manifest, cancellationToken), tailBytes, isPrivate: false, request.Batch, "of an earlier version", cancellationToken);
        return (turn, newTokens, grant);
    }

    // The newest version is asked. But a stream that goes on stays on its own, and an ask that has been kept already is told again what it was told.
    // Versions of one life have the same ids in front, so those of an earlier one are there still.
    private AskedTurn TurnOf(AskRequest request, int[] prompt, ContextManifest newest)
    {
        if (request.Keep && newest.FindOperation(request.OperationId) is { } kept)
        {
            RequireAdded(newest, kept, kept.Start, [.. prompt, .. request.Resume?.TokenIds ?? []], isAll: false); // what has been told is what was kept
            return new AskedTurn(AtVersion(newest, kept.Version - 1, kept.Start), newest.TokenIds[(kept.Start + prompt.Length)..(kept.Start + kept.Count)]);
        }

        if (request.Resume is not { } resume)
        {
            RefuseOtherVersion(newest, request.IfVersion);
            return new AskedTurn(newest, []);
        }

        var all = newest.TokenIds.Length;
        return resume.Start is { Version: { } version, ContextTokens: var tokens } && resume.Start.Incarnation == newest.Incarnation
            && ((version == newest.Version && tokens == all) || (version < newest.Version && tokens > 0 && tokens < all))
            ? new AskedTurn(AtVersion(newest, version, tokens), resume.TokenIds)
            : throw new GranaryException(ErrorCodes.ContextConflict, $"'{Key}' was deleted and made anew while it was asked.", "Ask again.");
    }

    private static ContextManifest AtVersion(ContextManifest newest, long version, int tokens) =>
        version == newest.Version ? newest : newest with { Version = version, TokenIds = newest.TokenIds[..tokens] };

    private static GenerationOptions WithSeed(GenerationOptions options, AnswerResume? resume) =>
        resume?.Start.Seed is { } seed ? options with { Seed = seed } : options;

    private bool HasGrown(ContextManifest manifest) =>
        Alive(_stored)?.Manifest is { } current && current.Incarnation == manifest.Incarnation && current.Version > manifest.Version;

    private async IAsyncEnumerable<AnswerPart> GenerateStreamAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        if (!IsNameless)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{Key}' is a stored context.", "Ask it, or generate under a name that starts with '~'.");
        }

        TokenLimits.CheckOptions(request.Options, Model);
        var context = await ReadAsync("context", request.Context);
        var prompt = await ReadAsync("prompt", request.Prompt);
        var newTokens = TokenLimits.NewTokens(context.Length, prompt.Length, request.Options, Model);
        var tailBytes = Model.Loaded.Layout.BytesOf(prompt.Length + newTokens);
        using var grant = await ComputePrivatelyAsync(
            await GetChainAsync(context, sharing.Value.ChunkTenantOf(ContextKey.TenantOf(Key)), cancellationToken), tailBytes, request.NoCache, request.Batch, "caches were not to be used", cancellationToken);
        var answering = new Answering(Model, Worker, registry, time)
        {
            Prior = context,
            Prompt = prompt,
            Given = request.Resume?.TokenIds ?? [],
            Told = request.Resume?.TokenIds.Length ?? 0,
            NewTokens = newTokens,
            Options = WithSeed(request.Options, request.Resume),
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
        if (request.Continuations.Length is 0 or > TokenLimits.MostContinuations)
        {
            throw new GranaryException(
                ErrorCodes.InvalidArgument, $"{request.Continuations.Length} continuations were given.", $"Give 1 to {TokenLimits.MostContinuations} in one request.");
        }

        var continuations = new List<int[]>(request.Continuations.Length);
        foreach (var input in request.Continuations)
        {
            continuations.Add(await ReadAsync("continuation", input));
        }

        var (manifest, admitted) = await OnNewestAsync(newest => AdmitScoreAsync(continuations, newest, cancellationToken), cancellationToken);
        using var grant = admitted;
        var (uncheckedFor, layout) = (_uncheckedFor, Model.Loaded.Layout);
        NoteHit();
        var tails = new List<KvTail>(continuations.Count);
        double[][] scores;
        try
        {
            foreach (var continuation in continuations)
            {
                tails.Add(KvTail.Allocate(layout, manifest.TokenIds.Length, continuation.Length, grant.Tail));
            }

            scores = await ScoreOnDeviceAsync(grant, manifest.TokenIds.AsMemory(grant.Reader.Pages[^1].Start), continuations, tails, cancellationToken);
        }
        finally
        {
            foreach (var tail in tails)
            {
                tail.Dispose();
            }
        }

        foreach (var (ids, logProbabilities) in continuations.Zip(scores))
        {
            yield return new ScoreResult(ids, logProbabilities, logProbabilities.Sum(), Model.Numerics, Model.IsExact, uncheckedFor?.TotalSeconds);
        }
    }

    private async Task<(ContextManifest Manifest, PageGrant Grant)> AdmitScoreAsync(List<int[]> continuations, ContextManifest manifest, CancellationToken cancellationToken)
    {
        var (layout, longest) = (Model.Loaded.Layout, continuations.Max(static ids => ids.Length));
        TokenLimits.NewTokens(manifest.TokenIds.Length, longest - 1, new GenerationOptions { MaxNewTokens = 1 }, Model);
        var lastPageTokens = manifest.TokenIds.Length - ((manifest.TokenIds.Length - 1) / layout.PageSize * layout.PageSize); // computed once more, beside the page
        var tailBytes = layout.BytesOf(lastPageTokens + continuations.Sum(static ids => (long)ids.Length));
        return (manifest, await GrantAsync(manifest, tailBytes, PlanChoice.Auto, batch: false, cancellationToken));
    }

    private async Task<double[][]> ScoreOnDeviceAsync(
        PageGrant grant, ReadOnlyMemory<int> lastPage, List<int[]> continuations, List<KvTail> tails, CancellationToken cancellationToken)
    {
        var work = new DeviceWork<double[][]>(model =>
            model.ScoreAsync(grant.Reader.Pages, lastPage, continuations, tails, grant.Tail, batch: false, cancellationToken));
        var id = registry.Add(work);
        try
        {
            await Worker.StartAsync(id);
            return await work.Result;
        }
        finally
        {
            registry.Remove(id);
        }
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
