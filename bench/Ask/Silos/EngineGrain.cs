using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Pages;
using Orleans.Concurrency;

namespace Granary.Bench.Ask.Silos;

/// <inheritdoc cref="IEngineGrain"/>
[Reentrant, KeepAlive]
internal sealed class EngineGrain(DeviceEngine engine, PacedTime paced) : Grain, IEngineGrain
{
    private static readonly TimeProvider Time = TimeProvider.System;
    private readonly List<KvPage> _pages = [];
    private LoadedModel? _model;
    private KvReservation? _reservation;

    private LoadedModel Model => _model ?? throw new InvalidOperationException("No context was computed.");

    /// <inheritdoc/>
    public async Task PrefillAsync(string model, int[] context)
    {
        // The silo's own engine, so that both run on the same threads; the weights are mapped, and so in memory once.
        _model = await engine.LoadAsync(model, "alone", new ModelLoadOptions());
        var layout = _model.Layout;
        _reservation = await new KvBudget(layout.BytesOf(context.Length)).AdmitAsync(layout.BytesOf(context.Length), batch: false, CancellationToken.None);
        for (var start = 0; start < context.Length; start += layout.PageSize)
        {
            var page = KvPage.Allocate(layout, start, Math.Min(layout.PageSize, context.Length - start), _reservation);
            await _model.PrefillPageAsync([.. _pages], page, context.AsMemory(start, page.Count), batch: false, CancellationToken.None);
            _pages.Add(page);
        }
    }

    /// <inheritdoc/>
    public async Task<AnswerTimes> GenerateAsync(int[] prompt, int tokens)
    {
        var first = 0L;
        var (allocated, processor, started) = (GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime, Time.GetTimestamp());
        var result = await GenerateAsync(prompt, tokens, _ => first = first == 0 ? Time.GetTimestamp() : first);
        var ended = Time.GetTimestamp();
        return new AnswerTimes(
            Time.GetElapsedTime(started, first).TotalSeconds,
            Time.GetElapsedTime(started, ended).TotalSeconds,
            GC.GetTotalAllocatedBytes() - allocated,
            (Environment.CpuUsage.TotalTime - processor).TotalSeconds,
            result.TokenIds);
    }

    /// <inheritdoc/>
    public async Task<double[]> HandOverAsync(int[] prompt, int tokens, TimeSpan pace)
    {
        var given = new List<long>(tokens);
        paced.Begin(pace);
        await GenerateAsync(prompt, tokens, _ => given.Add(Time.GetTimestamp()));
        return [.. paced.End().Zip(given, static (ended, handed) => Time.GetElapsedTime(ended, handed).TotalMicroseconds).Skip(1)];
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<long> StreamAsync(int count, TimeSpan pace, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var index = 0; index < count; index++)
        {
            await Task.Delay(pace, Time, cancellationToken);
            yield return Time.GetTimestamp();
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<int> StreamTokensAsync(int[] prompt, int tokens, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var came = Channel.CreateBounded<int>(new BoundedChannelOptions(tokens) { SingleReader = true, SingleWriter = true });
        var generating = GenerateAsync(prompt, tokens, token => came.Writer.TryWrite(token.Id));
        _ = generating.ContinueWith(_ => came.Writer.Complete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        while (await came.Reader.WaitToReadAsync(cancellationToken))
        {
            while (came.Reader.TryRead(out var id))
            {
                yield return id;
            }
        }

        await generating;
    }

    /// <inheritdoc/>
    public Task BeginPaceAsync(TimeSpan pace)
    {
        paced.Begin(pace);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<long[]> EndPaceAsync() => Task.FromResult(paced.End());

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _pages.ForEach(static page => page.Release());
        _reservation?.Dispose();
        return Task.CompletedTask;
    }

    private async Task<GenerationResult> GenerateAsync(int[] prompt, int tokens, Action<GeneratedToken> onToken)
    {
        var layout = Model.Layout;
        var bytes = layout.BytesOf(prompt.Length + tokens);
        using var reservation = await new KvBudget(bytes).AdmitAsync(bytes, batch: false, CancellationToken.None);
        using var tail = KvTail.Allocate(layout, _pages.Sum(static page => page.Count), prompt.Length + tokens, reservation);
        return await Model.GenerateAsync(new GenerationWork
        {
            Pages = _pages,
            PromptIds = prompt,
            Tail = tail,
            Options = new SamplingOptions { MaxNewTokens = tokens, IgnoreEos = true },
            OnToken = onToken,
        });
    }
}
