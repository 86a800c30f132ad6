using Granary.Inference.Checkpoints;
using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Inference.Tokenizers;

namespace Granary.Inference.Engine;

/// <summary>A model on a device. Its methods queue work for the device's thread; each task ends only when nothing that was lent is touched any more.</summary>
public sealed class LoadedModel
{
    private const int ContinuationsAtOnce = 16; // they share steps; more would only crowd the queue
    private readonly DeviceEngine _engine;
    private readonly DeviceModel _device;
    private readonly ICausalModel _model;

    // On the device thread, which the self-test needs.
    internal LoadedModel(DeviceEngine engine, DeviceModel device, string modelId, ModelLoadOptions options, long started)
    {
        (_engine, _device, _model, ModelId) = (engine, device, options.Prepare(device.Model), modelId);
        Layout = KvLayout.Of(_model.Config, options.Dtype, options.PageSize, options.Codec);
        var numerics = NumericsId.Of(engine.Device, Layout, _model.Rows?.InstructionSet, _model.RotaryDigest);
        var exact = new SelfTestVerdicts(options.Cache.Folder).Get(device.Source.Fingerprint, numerics, Test);
        Numerics = exact ? numerics : numerics.AsInexact();
        LoadTime = engine.Time.GetElapsedTime(started);

        bool Test()
        {
            var testStarted = engine.Time.GetTimestamp();
            var passes = SelfTest.Passes(_model, Layout);
            SelfTestTime = engine.Time.GetElapsedTime(testStarted);
            return passes;
        }
    }

    /// <summary>Gets what the model is called.</summary>
    public string ModelId { get; }

    /// <summary>Gets the configuration.</summary>
    public ModelConfig Config => _model.Config;

    /// <summary>Gets how its KV lies.</summary>
    public KvLayout Layout { get; }

    /// <summary>Gets the tokenizer; <see langword="null"/> where the folder has none.</summary>
    public TextTokenizer? Tokenizer => _device.Source.Tokenizer;

    /// <summary>Gets the fingerprint of configuration and weights.</summary>
    public string Fingerprint => _device.Source.Fingerprint;

    /// <summary>Gets what the bits of its results depend on.</summary>
    public NumericsId Numerics { get; }

    /// <summary>Gets the bytes of the weights as the device holds them, once: our kernels and libtorch use the same.</summary>
    public long WeightBytes => _model.WeightBytes;

    /// <summary>Gets how many of <see cref="WeightBytes"/> are the mapped file's own, which processes share and the kernel can drop and read again.</summary>
    /// <value>All where the file has the run's dtype and its elements are aligned (for float64: its tensors begin on a cache line), as those of <c>granary model create</c> are; 0 where every tensor was converted. The rest was read and converted into memory of the process.</value>
    public long MappedWeightBytes => _model.MappedWeightBytes;

    /// <summary>Gets the bytes that the kernels hold beside the weights, which they use where they are: norms and biases once more in float32, tables, and working memory.</summary>
    /// <value>Working memory counts activations, logits, softmax states and, for each thread, the room into which a long step packs one panel of a weight at a time (up to 256 KiB): no weight is packed as a whole. Grows with the longest step that was run, to that of a page. 0 for float64, which libtorch runs in memory that it does not tell.</value>
    public long WorkspaceBytes => _model.Rows?.WorkspaceBytes ?? 0;

    /// <summary>Gets how long loading took: from the call to a model that can be used, the wait for the device thread and the self-test included.</summary>
    public TimeSpan LoadTime { get; }

    /// <summary>Gets how long the self-test took, a part of <see cref="LoadTime"/>.</summary>
    /// <value><see langword="null"/> where a verdict was kept from an earlier load of these weights under this numerics id, so that nothing was tested.</value>
    public TimeSpan? SelfTestTime { get; private set; }

    /// <summary>Gets the floating-point operations that compute some tokens' KV over the tokens before them; a multiplication and an addition are two.</summary>
    /// <param name="start">The position of the first.</param>
    /// <param name="count">How many.</param>
    public double PrefillOperations(int start, int count) => WorkFloor.PrefillFlops(Config, start + count) - WorkFloor.PrefillFlops(Config, start);

    /// <summary>Computes one page over the complete pages before it, in one step.</summary>
    /// <param name="prefix">The pages before, complete and in order; the caller holds references.</param>
    /// <param name="page">The page; written, nobody else may read it yet.</param>
    /// <param name="tokenIds">The page's tokens.</param>
    /// <param name="batch">Whether interactive requests go first.</param>
    /// <param name="cancellationToken">Leaves the page's content undefined.</param>
    /// <param name="followsAdmitted">Whether it goes on with work that was let in before, which a full queue must not break off midway.</param>
    /// <returns>The time on the device thread.</returns>
    /// <exception cref="Errors.InferenceException"><c>InvalidArgument</c>, <c>TokenOutOfVocabulary</c>, <c>ContextWindowExceeded</c>, <c>QueueFull</c>: each says what to do.</exception>
    public async Task<TimeSpan> PrefillPageAsync(IReadOnlyList<KvPage> prefix, KvPage page, ReadOnlyMemory<int> tokenIds, bool batch, CancellationToken cancellationToken, bool followsAdmitted = false)
    {
        var start = KvPlan.Check(Layout, [.. prefix, page]) - page.Count;
        if (tokenIds.Length != page.Count)
        {
            throw EngineErrors.Invalid($"{tokenIds.Length} tokens do not fill a page of {page.Count} at {start}.", "Allocate the page for its tokens.");
        }

        KvPlan.Check(tokenIds.Span, Config.VocabularySize);
        CheckWindow(start + page.Count);
        var request = new PageRequest(_model, [.. prefix], page, tokenIds, batch, cancellationToken);
        return await _engine.RunAsync(request, followsAdmitted).ConfigureAwait(false);
    }

    /// <summary>Answers a prompt over a context.</summary>
    /// <param name="work">The ask.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="Errors.InferenceException"><c>EmptyInput</c>, <c>InvalidArgument</c>, <c>TokenOutOfVocabulary</c>, <c>ContextWindowExceeded</c>, <c>TokenizerMissing</c>, <c>QueueFull</c>, <c>NonFiniteLogits</c>: each says what to do.</exception>
    public async Task<GenerationResult> GenerateAsync(GenerationWork work)
    {
        if (work.PromptIds.Length == 0)
        {
            throw EngineErrors.Empty("prompt tokens");
        }

        if (work.Options.Faults() is { Count: > 0 } faults)
        {
            throw EngineErrors.Invalid($"The sampling options cannot be used: {string.Join("; ", faults)}.", "Correct them.");
        }

        var start = KvPlan.Check(Layout, work.Pages);
        KvPlan.Check(work.PromptIds, Config.VocabularySize);
        KvPlan.Check(work.PriorIds.Span, Config.VocabularySize);
        KvPlan.Check([.. work.Options.StopIds], Config.VocabularySize);
        if (work.Options.RepetitionPenalty != 1 && work.PriorIds.Length != start)
        {
            throw EngineErrors.Invalid($"A repetition penalty was given with {work.PriorIds.Length} ids of a context of {start}.", "Pass the ids of the whole context.");
        }

        if (work.GivenIds.Length > work.Options.MaxNewTokens)
        {
            throw EngineErrors.Invalid($"{work.GivenIds.Length} tokens were given of an answer of at most {work.Options.MaxNewTokens}.", "Give at most as many as the answer may have.");
        }

        KvPlan.Check(work.GivenIds.Span, Config.VocabularySize);
        CheckWindow((long)start + work.PromptIds.Length + work.Options.MaxNewTokens);
        KvPlan.Check(Layout, work.Tail, start, work.PromptIds.Length + work.Options.MaxNewTokens - 1);
        return await _engine.RunAsync(new GenerationRequest(_model, work with { Pages = [.. work.Pages] }, NewText(work.Options))).ConfigureAwait(false);
    }

    /// <summary>Gets the log-probabilities of given tokens after a context, for several continuations side by side: the context's last page is computed again once.</summary>
    /// <param name="pages">The context's complete pages, in order; at least one. The caller holds references.</param>
    /// <param name="lastPageIds">The token ids of the last page, which is computed once more for its last row.</param>
    /// <param name="continuations">The tokens to score, each continuation for itself.</param>
    /// <param name="tails">One for each continuation: empty, at the context's length.</param>
    /// <param name="reservation">Pays for the last page's KV while it is computed again: the bytes of its tokens are taken.</param>
    /// <param name="batch">Whether interactive requests go first.</param>
    /// <param name="cancellationToken">Ends the work between two steps.</param>
    /// <returns>For each continuation, one natural log-probability for each of its tokens; the bits that it has alone.</returns>
    /// <exception cref="Errors.InferenceException"><c>EmptyInput</c>, <c>InvalidArgument</c>, <c>TokenOutOfVocabulary</c>, <c>ContextWindowExceeded</c>, <c>QueueFull</c>, <c>NonFiniteLogits</c>: each says what to do.</exception>
    public async Task<double[][]> ScoreAsync(
        IReadOnlyList<KvPage> pages, ReadOnlyMemory<int> lastPageIds, IReadOnlyList<int[]> continuations, IReadOnlyList<KvTail> tails, KvReservation reservation, bool batch, CancellationToken cancellationToken)
    {
        if (pages.Count == 0 || continuations.Count == 0 || continuations.Any(static continuation => continuation.Length == 0))
        {
            throw EngineErrors.Empty(pages.Count == 0 ? "context tokens" : "tokens to score");
        }

        var start = KvPlan.Check(Layout, pages);
        if (lastPageIds.Length != pages[^1].Count)
        {
            throw EngineErrors.Invalid($"{lastPageIds.Length} ids were given for a last page of {pages[^1].Count}.", "Pass the ids of the last page's tokens.");
        }

        if (tails.Distinct().Count() != continuations.Count || tails.Count != continuations.Count)
        {
            throw EngineErrors.Invalid($"{tails.Count} tails were given for {continuations.Count} continuations.", "Pass a tail of its own for each continuation.");
        }

        KvPlan.Check(lastPageIds.Span, Config.VocabularySize);
        foreach (var (continuation, tail) in continuations.Zip(tails))
        {
            KvPlan.Check(continuation, Config.VocabularySize);
            CheckWindow((long)start + continuation.Length);
            KvPlan.Check(Layout, tail, start, continuation.Length - 1);
        }

        KvPage[] context = [.. pages];
        var firstIds = continuations.Select(static continuation => continuation[0]).ToArray();
        var firsts = await _engine.RunAsync(new FirstTokenScoreRequest(_model, context, lastPageIds, firstIds, reservation, batch, cancellationToken)).ConfigureAwait(false);
        var scores = firsts.Select(static first => new[] { first }).ToArray();
        var side = new ParallelOptions { MaxDegreeOfParallelism = ContinuationsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, scores.Length).Where(index => continuations[index].Length > 1), side, ScoreRestAsync).ConfigureAwait(false);
        return scores;

        async ValueTask ScoreRestAsync(int index, CancellationToken ending)
        {
            var request = new ContinuationScoreRequest(_model, context, continuations[index], tails[index], batch, ending);
            scores[index] = [firsts[index], .. await _engine.RunAsync(request, followsAdmitted: true).ConfigureAwait(false)];
        }
    }

    /// <summary>Gets the logits after given tokens of a continuation.</summary>
    /// <returns>[continuation − first, vocab].</returns>
    internal Task<double[][]> LogitsAsync(IReadOnlyList<KvPage> pages, int[] continuation, int first, KvTail tail, CancellationToken cancellationToken) =>
        _engine.RunAsync(new ContinuationLogitsRequest(_model, [.. pages], continuation, first, tail, cancellationToken));

    /// <summary>Runs given tokens and gives logits and KV, for <c>granary model forward</c>. No codec is applied: load the model without one.</summary>
    /// <param name="request">The tokens, and how they are run.</param>
    /// <param name="cancellationToken">Ends the work between two steps.</param>
    /// <returns>Logits and KV.</returns>
    /// <exception cref="Errors.InferenceException"><c>EmptyInput</c>, <c>InvalidArgument</c>, <c>TokenOutOfVocabulary</c>, <c>ContextWindowExceeded</c>, <c>RequestTooLarge</c>: each says what to do.</exception>
    public async Task<ForwardResult> ForwardAsync(ForwardRequest request, CancellationToken cancellationToken)
    {
        if (request.TokenIds.Length == 0)
        {
            throw EngineErrors.Empty("tokens");
        }

        if (request.Split is { } split && (split < 1 || split >= request.TokenIds.Length))
        {
            throw EngineErrors.Invalid($"The split is {split} of {request.TokenIds.Length} tokens.", "Give a split of at least 1 and below the number of tokens.");
        }

        if (request.LeftPad < 0 || (request.LeftPad > 0 && request.Split is null))
        {
            throw EngineErrors.Invalid($"The left padding is {request.LeftPad} without a split, or negative.", "Give --split with --left-pad, and a padding of 0 or more.");
        }

        KvPlan.Check(request.TokenIds, Config.VocabularySize);
        CheckWindow((long)request.TokenIds.Length + (request.PositionIds ? 0 : request.LeftPad));
        return await _engine.RunAsync(new ForwardWork(_model, Layout, request, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>Unloads the model. No work may be queued for it.</summary>
    /// <returns>When the weights are gone, and their mapping. A full queue does not refuse it; a second call does nothing.</returns>
    /// <exception cref="Errors.InferenceException"><c>Unavailable</c>: the engine has stopped, which unloads all models.</exception>
    public async Task UnloadAsync()
    {
        var unload = new SingleStep<bool>(
            () =>
            {
                _engine.UnloadOnDevice(_device);
                return true;
            },
            batch: false,
            CancellationToken.None);
        await _engine.RunAsync(unload, followsAdmitted: true).ConfigureAwait(false); // a full queue must not keep weights that nobody owns any more
    }

    private AnswerText? NewText(SamplingOptions options)
    {
        if (Tokenizer is null)
        {
            return options.Stop.Count == 0 ? null : throw EngineErrors.NoTokenizer(ModelId);
        }

        var decoder = Tokenizer.CreateDecoder(skipSpecialTokens: true);
        return new AnswerText(decoder.Append, decoder.Flush, options.Stop);
    }

    private void CheckWindow(long tokens)
    {
        if (tokens > Config.Window)
        {
            throw EngineErrors.WindowExceeded(tokens, Config.Window);
        }
    }
}
