using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Microsoft.Extensions.Logging;

namespace Granary.Inference.Benchmarks;

/// <summary>Times the engine on a checkpoint against what no implementation avoids. Times are reported, never asserted.</summary>
/// <remarks>Every round measures every row and every rate once, so that a disturbed moment touches all alike.</remarks>
public sealed class EngineBenchmark
{
    private const int Untimed = 1; // rounds
    private readonly EngineBenchmarkOptions _options;
    private readonly DeviceEngine _engine;
    private readonly LoadedModel _model;
    private readonly List<BenchmarkCase> _cases;

    private EngineBenchmark(EngineBenchmarkOptions options, DeviceEngine engine, LoadedModel model)
    {
        (_options, _engine, _model) = (options, engine, model);
        LeftOut = [.. options.Cases.Distinct().Select(row => new LeftOutCase(row, WhyNot(row) ?? "")).Where(static row => row.Reason.Length > 0)];
        _cases = [.. options.Cases.Distinct().Except(LeftOut.Select(static row => row.Case))];
    }

    private List<LeftOutCase> LeftOut { get; }

    /// <summary>Loads the model, measures, unloads it.</summary>
    /// <param name="options">What is measured.</param>
    /// <param name="logger">The engine's.</param>
    /// <param name="roundStarts">Told each round's number before it, 0 for the one that is not timed.</param>
    /// <param name="cancellationToken">Ends the run between two steps.</param>
    /// <returns>What was measured.</returns>
    /// <exception cref="InferenceException">
    /// <c>ModelNotFound</c>, <c>CheckpointInvalid</c>, <c>TokenizerInvalid</c>: each says what to do.
    /// <c>RequestTooLarge</c>: the rows need more memory than there is; give shorter lists.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1.</exception>
    public static async Task<EngineMeasurement> RunAsync(EngineBenchmarkOptions options, ILogger logger, Action<int> roundStarts, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Rounds, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Steps, 1, nameof(options));
        foreach (var row in options.Cases.Where(static row => !row.IsLoad))
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(Math.Min(row.Tokens, row.Asks), 1, nameof(options));
        }

        var use = new EngineOptions { Threads = options.Threads };
        use.QueueCapacity = Math.Max(use.QueueCapacity, options.Cases.Select(static row => row.Asks).DefaultIfEmpty().Max());
        var engine = new DeviceEngine(use, TimeProvider.System, logger);
        await using var stopped = engine.ConfigureAwait(false);
        var model = await engine.LoadAsync(options.Folder, options.ModelId, new ModelLoadOptions(options.Dtype), cancellationToken).ConfigureAwait(false);
        using var loads = new CheckpointLoads(engine, options);
        var benchmark = new EngineBenchmark(options, engine, model);
        benchmark.CheckMemory();
        using var rates = await MachineRates.CreateAsync(engine, options.Dtype).ConfigureAwait(false);
        return await benchmark.MeasureAsync(rates, loads, use.EffectiveThreads, roundStarts, cancellationToken).ConfigureAwait(false);
    }

    private string? WhyNot(BenchmarkCase row) => row.SequenceTokens(_options.Steps) switch
    {
        var tokens when tokens > _model.Config.Window => $"It comes to {tokens} tokens, the model's window is {_model.Config.Window}.",
        _ when row.Work == BenchmarkWork.OneStep && row.Tokens <= _model.Layout.PageSize => $"It is a page of {_model.Layout.PageSize} tokens at most, which is one step anyway.",
        _ => null,
    };

    // What is checked here is allocated later, row by row: a run that cannot end is refused before it starts.
    private void CheckMemory()
    {
        if (_cases.Count == 0)
        {
            return;
        }

        var oneStep = _cases.Where(static row => row.Work == BenchmarkWork.OneStep).Select(static row => row.Tokens).DefaultIfEmpty().Max();
        var bytes = MachineRates.Bytes
            + ((double)_model.Layout.BytesPerToken * (_cases.Max(static row => row.Tokens) + (long)oneStep))
            + (oneStep > 0 ? _model.WeightBytes : 0)
            + _cases.Max(row => row.OwnBytes(_model, _options.Steps))
            + _cases.Where(row => row.Tokens % _model.Layout.PageSize != 0).Sum(_ => (double)_model.Layout.PageSize * _model.Layout.BytesPerToken);
        FreeMemory.Require(bytes, _options.MemoryBytes, "The rows need", "Give smaller numbers of asks or tokens.");
    }

    private async Task<EngineMeasurement> MeasureAsync(MachineRates rates, CheckpointLoads loads, int threads, Action<int> roundStarts, CancellationToken cancellationToken)
    {
        using var pages = await ContextAsync(_model, static row => row.Work is BenchmarkWork.Prefill or BenchmarkWork.Decode, cancellationToken).ConfigureAwait(false);
        using var oneStep = await LoadOneStepAsync(cancellationToken).ConfigureAwait(false);
        var (rounds, selfTests) = (new List<RoundRates>(), new List<double>());
        var rows = _cases.ConvertAll(static row => (Case: row, Seconds: new List<double>(), Floors: new List<double>()));
        for (var round = 0; round <= _options.Rounds; round++)
        {
            roundStarts(round);
            var able = new RoundRates(
                await rates.GemmAsync().ConfigureAwait(false),
                await rates.ReadAsync().ConfigureAwait(false),
                _cases.Exists(static row => row.IsLoad) ? await loads.ReadAsync().ConfigureAwait(false) : 0);
            rounds.Add(able);
            foreach (var (row, seconds, floors) in rows)
            {
                cancellationToken.ThrowIfCancellationRequested();
                seconds.Add(row.IsLoad ? await LoadAsync(row.Work).ConfigureAwait(false) : await ComputeAsync(row).ConfigureAwait(false));
                floors.Add(row.FloorSeconds(_model, _options.Steps, able));
            }
        }

        return new EngineMeasurement
        {
            Threads = threads,
            Numerics = _model.Numerics,
            GemmFlopsPerSecond = [.. rounds.Skip(Untimed).Select(static round => round.GemmFlopsPerSecond)],
            ReadBytesPerSecond = [.. rounds.Skip(Untimed).Select(static round => round.ReadBytesPerSecond)],
            SelfTestSeconds = [.. selfTests.Skip(Untimed)],
            Rows = rows.ConvertAll(static row => new BenchmarkRow(row.Case, [.. row.Seconds.Skip(Untimed)], [.. row.Floors.Skip(Untimed)])),
            LeftOut = LeftOut,
        };

        async Task<double> ComputeAsync(BenchmarkCase row)
        {
            var context = (row.Work == BenchmarkWork.OneStep ? oneStep : pages) ?? throw new InvalidOperationException($"There is no context for '{row}'.");
            return row.Work == BenchmarkWork.Decode
                ? await context.DecodeAsync(row, _options.Steps, cancellationToken).ConfigureAwait(false)
                : await Clock.TimeAsync(() => context.PrefillAsync(row.Tokens, cancellationToken)).ConfigureAwait(false);
        }

        async Task<double> LoadAsync(BenchmarkWork work)
        {
            var (load, selfTest) = await loads.LoadAsync(work, cancellationToken).ConfigureAwait(false);
            if (work == BenchmarkWork.FirstLoad)
            {
                selfTests.Add(selfTest);
            }

            return load;
        }
    }

    // With pages at least as long as the longest row, a prefill is one step: the same engine without the rule.
    private async Task<SyntheticContext?> LoadOneStepAsync(CancellationToken cancellationToken)
    {
        var longest = _cases.Where(static row => row.Work == BenchmarkWork.OneStep).Select(static row => row.Tokens).DefaultIfEmpty().Max();
        if (longest == 0)
        {
            return null;
        }

        var pageSize = (longest + KvLayout.DefaultPageSize - 1) / KvLayout.DefaultPageSize * KvLayout.DefaultPageSize;
        var load = new ModelLoadOptions(_options.Dtype, pageSize);
        var model = await _engine.LoadAsync(_options.Folder, _options.ModelId, load, cancellationToken).ConfigureAwait(false);
        return await ContextAsync(model, static row => row.Work == BenchmarkWork.OneStep, cancellationToken).ConfigureAwait(false);
    }

    private async Task<SyntheticContext?> ContextAsync(LoadedModel model, Predicate<BenchmarkCase> of, CancellationToken cancellationToken)
    {
        int[] lengths = [.. _cases.Where(row => of(row)).Select(static row => row.Tokens).Distinct()];
        if (lengths.Length == 0)
        {
            return null;
        }

        var context = await SyntheticContext.CreateAsync(model, lengths, cancellationToken).ConfigureAwait(false);
        try
        {
            foreach (var length in lengths.Order())
            {
                await context.PrefillAsync(length, cancellationToken).ConfigureAwait(false); // what rows decode over must have been computed
            }

            return context;
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }
}
