using System.Runtime.InteropServices;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Engine;

/// <summary>Proves on a loaded model that a sequence's bits do not depend on what runs beside it: one prompt alone, with neighbours, with neighbours over its own context, and beside a prefill.</summary>
/// <remarks>Design, section 3. It runs on the device thread before the model is used; where it fails, the numerics id says so.</remarks>
internal static class SelfTest
{
    private const int ContextTokens = 40;
    private const int PromptTokens = 5;
    private const int DecodeSteps = 3;
    private const int LongPromptTokens = 34; // more rows than share a step

    /// <summary>Runs the test.</summary>
    /// <param name="model">The model.</param>
    /// <param name="layout">Its KV's.</param>
    /// <returns>Whether KV and logits were the same to the bit in all settings.</returns>
    public static bool Passes(ICausalModel model, KvLayout layout)
    {
        var alone = Beside(model, layout, neighbours: 0);
        return alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 1))
            && alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 6))
            && alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 4, sharesContext: true))
            && alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 2, prefill: true));
    }

    private static int TailTokens => PromptTokens + DecodeSteps + LongPromptTokens;

    // The bits of the tested sequence: its page, its tail and the logits of each step.
    private static byte[] Beside(ICausalModel model, KvLayout layout, int neighbours, bool sharesContext = false, bool prefill = false)
    {
        var context = Math.Clamp(Math.Min(layout.PageSize, model.Config.Window - TailTokens), 1, ContextTokens);
        var tail = Math.Min(TailTokens, model.Config.Window - context); // what the window leaves: no step goes beyond it
        var tested = new Sequence(layout, model.Config.VocabularySize, seed: 0, context, tail);
        var sequences = Enumerable.Range(1, neighbours)
            .Select(seed => new Sequence(layout, model.Config.VocabularySize, seed, sharesContext ? context : 1 + (seed * 7 % context), tail, sharesContext ? tested : null))
            .ToList();
        sequences.Insert(neighbours / 2, tested); // neighbours stand on both sides
        try
        {
            var bits = new MemoryStream();
            foreach (var sequence in sequences.Where(sequence => sequence.OwnsPage))
            {
                RunPage(model, sequence);
            }

            for (var step = 0; step <= DecodeSteps; step++)
            {
                if (prefill)
                {
                    using var other = new Sequence(layout, model.Config.VocabularySize, seed: 100 + step, 1 + (step * 11 % context), tail);
                    RunPage(model, other);
                }

                var rows = Math.Min(step == 0 ? PromptTokens : 1, tested.Room); // all sequences have the same tail
                if (rows > 0)
                {
                    bits.Write(RunStep(model, sequences.ConvertAll(sequence => sequence.Next(rows)), neighbours / 2));
                }
            }

            if (tested.Room > 0)
            {
                bits.Write(RunStep(model, [tested.Next(tested.Room)], 0)); // a long prompt runs by itself, after whatever has run
            }

            bits.Write(tested.Bytes());
            return bits.ToArray();
        }
        finally
        {
            sequences.ForEach(static sequence => sequence.Dispose());
        }
    }

    private static void RunPage(ICausalModel model, Sequence sequence)
    {
        var page = sequence.Page();
        if (model.Rows is { } rows && rows.Takes(page))
        {
            rows.Run([page]);
        }
        else
        {
            model.Run(page)?.Dispose();
        }

        PageCodec.Apply(page.Target!);
    }

    private static byte[] RunStep(ICausalModel model, List<ModelStep> steps, int tested)
    {
        if (model.Rows is { } rows && (steps.TrueForAll(rows.Shares) || (steps is [var single] && rows.Takes(single))))
        {
            return MemoryMarshal.AsBytes(rows.Run(steps)[tested]).ToArray();
        }

        byte[] bits = [];
        for (var index = 0; index < steps.Count; index++)
        {
            using var scope = NewDisposeScope();
            var logits = model.Run(steps[index]) ?? throw new InvalidOperationException("The step gave no logits.");
            bits = index == tested ? logits.bytes.ToArray() : bits;
        }

        return bits;
    }

    // A context of one page, its own or another's, and a tail, over ids that its seed gives.
    private sealed class Sequence(KvLayout layout, int vocabulary, int seed, int context, int tail, Sequence? over = null) : IDisposable
    {
        private readonly KvMemory _page = over?._page ?? new(layout, context, reservation: null);
        private readonly KvMemory _tail = new(layout, tail, reservation: null);
        private int _count;

        public bool OwnsPage => over is null;

        public int Room => tail - _count;

        public ModelStep Page() => new() { TokenIds = Ids(0, context), Position = 0, Past = [], Target = _page };

        public ModelStep Next(int rows)
        {
            var step = new ModelStep
            {
                TokenIds = Ids(context + _count, rows),
                Position = context + _count,
                Past = [new KvRun(_page, context), new KvRun(_tail, _count)],
                Target = _tail,
                TargetOffset = _count,
                Logits = LogitRows.Last,
            };
            _count += rows;
            return step;
        }

        public byte[] Bytes() => [.. _page.GetSpan(), .. _tail.GetSpan()];

        public void Dispose()
        {
            if (OwnsPage)
            {
                _page.Release();
            }

            _tail.Release();
        }

        private int[] Ids(int first, int count) => [.. Enumerable.Range(first, count).Select(position => (int)((((seed * 7919L) + position + 1) * 2654435761L) % vocabulary))];
    }
}
