using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Generation;
using Granary.Inference.Pages;
using Granary.Inference.Tokenizers;
using Microsoft.Extensions.Logging;

namespace Granary.Inference.Benchmarks;

/// <summary>Compares the codec bfloat16 with none, on a model in float32: bytes, speed, and what it changes of the answers.</summary>
/// <remarks>
/// Each prompt is answered greedily without a codec; the codec's model is then given those very tokens, so that its logits are of equal input: one changed token does not
/// count as many. What a user sees is counted beside it, by answers that each model gives on its own.
/// </remarks>
public sealed class CodecBenchmark
{
    private const int Timings = 3; // of each page, the least of which counts

    private readonly CodecBenchmarkOptions _options;
    private readonly LoadedModel _plain;
    private readonly LoadedModel _coded;
    private long _resident;
    private long _stored;
    private (double Round, double Encode, double Decode) _seconds;
    private double _largest;
    private int _contexts;
    private int _leftOut;
    private int _tokens;
    private int _changedTokens;
    private int _answers;
    private int _changedAnswers;

    private CodecBenchmark(CodecBenchmarkOptions options, LoadedModel plain, LoadedModel coded) => (_options, _plain, _coded) = (options, plain, coded);

    /// <summary>Loads the model with and without the codec, compares, unloads it.</summary>
    /// <param name="options">What is compared.</param>
    /// <param name="logger">The engine's.</param>
    /// <param name="contextStarts">Told how many contexts were compared, before each.</param>
    /// <param name="cancellationToken">Ends the run between two steps.</param>
    /// <returns>What was measured.</returns>
    /// <exception cref="InferenceException"><c>ModelNotFound</c>, <c>CheckpointInvalid</c>, <c>TokenizerInvalid</c>, <c>TokenizerMissing</c>, <c>EmptyInput</c>, <c>RequestTooLarge</c>: each says what to do.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An answer has less than one token.</exception>
    public static async Task<CodecMeasurement> RunAsync(CodecBenchmarkOptions options, ILogger logger, Action<int> contextStarts, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxNewTokens, 1, nameof(options));
        var engine = new DeviceEngine(new EngineOptions { Threads = options.Threads }, TimeProvider.System, logger);
        await using var stopped = engine.ConfigureAwait(false);
        var load = new ModelLoadOptions(KvDtype.Float32);
        var plain = await engine.LoadAsync(options.Folder, options.ModelId, load, cancellationToken).ConfigureAwait(false);
        var coded = await engine.LoadAsync(options.Folder, options.ModelId, load with { Codec = KvCodec.BFloat16 }, cancellationToken).ConfigureAwait(false);
        var tokenizer = plain.Tokenizer ?? throw EngineErrors.NoTokenizer(options.ModelId);
        var benchmark = new CodecBenchmark(options, plain, coded);
        for (var index = 0; index < options.Contexts.Count; index++)
        {
            contextStarts(index);
            await benchmark.CompareAsync(options.Contexts[index], tokenizer, cancellationToken).ConfigureAwait(false);
        }

        return benchmark._answers > 0 ? benchmark.Result() : throw EngineErrors.Empty("contexts with prompts that fit into the model's window");
    }

    private CodecMeasurement Result() => new()
    {
        Codec = _coded.Layout.Codec,
        Contexts = _contexts,
        LeftOut = _leftOut,
        ResidentBytes = _resident,
        StoredBytes = _stored,
        RoundBytesPerSecond = _resident / _seconds.Round,
        EncodeBytesPerSecond = _resident / _seconds.Encode,
        DecodeBytesPerSecond = _resident / _seconds.Decode,
        LargestLogitDifference = _largest,
        Tokens = _tokens,
        ChangedTokens = _changedTokens,
        Answers = _answers,
        ChangedAnswers = _changedAnswers,
    };

    private async Task CompareAsync(PromptedContext prompted, TextTokenizer tokenizer, CancellationToken cancellationToken)
    {
        var ids = tokenizer.Encode(prompted.Context);
        var prompts = prompted.Prompts.Select(tokenizer.Encode).Where(static prompt => prompt.Length > 0).ToList();
        var longest = prompts.Select(static prompt => prompt.Length).DefaultIfEmpty().Max() + _options.MaxNewTokens;
        if (ids.Length == 0 || prompts.Count == 0 || ids.Length + longest > _plain.Config.Window)
        {
            _leftOut++;
            return;
        }

        _contexts++;
        var pageBytes = 2 * _plain.Layout.BytesOf(ids.Length);
        var logitBytes = 2.0 * sizeof(double) * _options.MaxNewTokens * _plain.Config.VocabularySize; // of both models, at every token of an answer
        FreeMemory.Require(pageBytes + _plain.Layout.BytesOf(longest) + logitBytes, _options.MemoryBytes, $"A context of {ids.Length} tokens and its answers need", "Give shorter contexts or fewer --max-new-tokens.");
        var budget = new KvBudget(pageBytes + _plain.Layout.BytesOf(longest)); // the run's own: a context at a time, and an answer
        using var reservation = await budget.AdmitAsync(pageBytes, batch: false, cancellationToken).ConfigureAwait(false);
        var (plain, coded) = (new List<KvPage>(), new List<KvPage>());
        try
        {
            await PrefillAsync(_plain, ids, plain, reservation, cancellationToken).ConfigureAwait(false);
            await PrefillAsync(_coded, ids, coded, reservation, cancellationToken).ConfigureAwait(false);
            coded.ForEach(Time);
            foreach (var prompt in prompts)
            {
                await CompareAsync(prompt, ids.Length, plain, coded, budget, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            plain.ForEach(static page => page.Release());
            coded.ForEach(static page => page.Release());
        }
    }

    private async Task CompareAsync(int[] prompt, int start, List<KvPage> plain, List<KvPage> coded, KvBudget budget, CancellationToken cancellationToken)
    {
        var answer = await AnswerAsync(_plain, plain, prompt, start, budget, cancellationToken).ConfigureAwait(false);
        var own = await AnswerAsync(_coded, coded, prompt, start, budget, cancellationToken).ConfigureAwait(false);
        _answers++;
        _changedAnswers += answer.AsSpan().SequenceEqual(own) ? 0 : 1;

        int[] given = [.. prompt, .. answer[..^1]];
        var expected = await LogitsAsync(_plain, plain, given, prompt.Length - 1, start, budget, cancellationToken).ConfigureAwait(false);
        var actual = await LogitsAsync(_coded, coded, given, prompt.Length - 1, start, budget, cancellationToken).ConfigureAwait(false);
        for (var token = 0; token < answer.Length; token++)
        {
            _tokens++;
            _changedTokens += Likeliest(actual[token]) == Likeliest(expected[token]) ? 0 : 1;
            _largest = Math.Max(_largest, expected[token].Zip(actual[token], static (left, right) => Math.Abs(left - right)).Max());
        }
    }

    private static async Task PrefillAsync(LoadedModel model, int[] ids, List<KvPage> pages, KvReservation reservation, CancellationToken cancellationToken)
    {
        for (var start = 0; start < ids.Length; start += model.Layout.PageSize)
        {
            var page = KvPage.Allocate(model.Layout, start, Math.Min(model.Layout.PageSize, ids.Length - start), reservation);
            pages.Add(page);
            await model.PrefillPageAsync([.. pages.SkipLast(1)], page, ids.AsMemory(start, page.Count), batch: false, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<int[]> AnswerAsync(LoadedModel model, List<KvPage> pages, int[] prompt, int start, KvBudget budget, CancellationToken cancellationToken)
    {
        var tokens = prompt.Length + _options.MaxNewTokens;
        using var reservation = await budget.AdmitAsync(model.Layout.BytesOf(tokens), batch: false, cancellationToken).ConfigureAwait(false);
        using var tail = KvTail.Allocate(model.Layout, start, tokens, reservation);
        var work = new GenerationWork
        {
            Pages = pages,
            PromptIds = prompt,
            Tail = tail,
            Options = new SamplingOptions { MaxNewTokens = _options.MaxNewTokens, IgnoreEos = true },
            CancellationToken = cancellationToken,
        };
        return (await model.GenerateAsync(work).ConfigureAwait(false)).TokenIds;
    }

    private static async Task<double[][]> LogitsAsync(LoadedModel model, List<KvPage> pages, int[] given, int first, int start, KvBudget budget, CancellationToken cancellationToken)
    {
        using var reservation = await budget.AdmitAsync(model.Layout.BytesOf(given.Length), batch: false, cancellationToken).ConfigureAwait(false);
        using var tail = KvTail.Allocate(model.Layout, start, given.Length, reservation);
        return await model.LogitsAsync(pages, given, first, tail, cancellationToken).ConfigureAwait(false);
    }

    private static int Likeliest(double[] logits) => Array.IndexOf(logits, logits.Max()); // of equals the first, as a greedy sampler takes it

    // The page went through its codec already: rounding, encoding and decoding it once more changes nothing.
    private void Time(KvPage page)
    {
        (_resident, _stored) = (_resident + page.Bytes, _stored + page.StoredBytes);
        var least = (Round: double.PositiveInfinity, Encode: double.PositiveInfinity, Decode: double.PositiveInfinity);
        for (var timing = 0; timing < Timings; timing++)
        {
            least.Round = Math.Min(least.Round, Clock.Time(() => PageCodec.Apply(page.Data)));
            EncodedPage encoded = default;
            least.Encode = Math.Min(least.Encode, Clock.Time(() => encoded = page.Encode()));
            encoded.Memory.CopyTo(page.Incoming);
            encoded.Dispose();
            least.Decode = Math.Min(least.Decode, Clock.Time(page.Decode));
        }

        _seconds = (_seconds.Round + least.Round, _seconds.Encode + least.Encode, _seconds.Decode + least.Decode);
    }
}
