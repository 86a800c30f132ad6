using System.Runtime.InteropServices;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Engine;

/// <summary>Proves on a loaded model that a sequence's bits do not depend on what runs beside it: one prompt alone, with neighbours, and beside a prefill.</summary>
/// <remarks>Design, section 3. It runs on the device thread before the model is used; where it fails, the numerics id says so.</remarks>
internal static class SelfTest
{
    private const int ContextTokens = 40;
    private const int PromptTokens = 5;
    private const int DecodeSteps = 3;

    /// <summary>Runs the test.</summary>
    /// <param name="model">The model.</param>
    /// <param name="layout">Its KV's.</param>
    /// <returns>Whether KV and logits were the same to the bit in all three settings.</returns>
    public static bool Passes(ICausalModel model, KvLayout layout)
    {
        if (model.Config.Window < ContextTokens + PromptTokens + DecodeSteps || layout.PageSize < ContextTokens)
        {
            return Alone(model, layout).AsSpan().SequenceEqual(Alone(model, layout)); // no room for neighbours of other lengths
        }

        var alone = Alone(model, layout);
        return alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 1, prefill: false))
            && alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 6, prefill: false))
            && alone.AsSpan().SequenceEqual(Beside(model, layout, neighbours: 2, prefill: true));
    }

    private static byte[] Alone(ICausalModel model, KvLayout layout) => Beside(model, layout, neighbours: 0, prefill: false);

    // The bits of the tested sequence: its page, its tail and the logits of each step.
    private static byte[] Beside(ICausalModel model, KvLayout layout, int neighbours, bool prefill)
    {
        var context = Math.Min(ContextTokens, Math.Max(1, Math.Min(layout.PageSize, model.Config.Window - PromptTokens - DecodeSteps)));
        var tested = new Sequence(layout, model.Config.VocabularySize, seed: 0, context);
        var sequences = Enumerable.Range(1, neighbours).Select(seed => new Sequence(layout, model.Config.VocabularySize, seed, 1 + (seed * 7 % context))).ToList();
        sequences.Insert(neighbours / 2, tested); // neighbours stand on both sides
        try
        {
            var bits = new MemoryStream();
            foreach (var sequence in sequences)
            {
                RunPage(model, sequence);
            }

            for (var step = 0; step <= DecodeSteps; step++)
            {
                if (prefill)
                {
                    using var other = new Sequence(layout, model.Config.VocabularySize, seed: 100 + step, 1 + (step * 11 % context));
                    RunPage(model, other);
                }

                bits.Write(RunStep(model, sequences, neighbours / 2));
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
            return;
        }

        model.Run(page)?.Dispose();
    }

    private static byte[] RunStep(ICausalModel model, List<Sequence> sequences, int tested)
    {
        var steps = sequences.ConvertAll(static sequence => sequence.Next());
        if (model.Rows is { } rows && steps.TrueForAll(rows.Shares))
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

    // A context of one page and a tail, over ids that its seed gives.
    private sealed class Sequence(KvLayout layout, int vocabulary, int seed, int context) : IDisposable
    {
        private readonly KvMemory _page = new(layout, context, reservation: null);
        private readonly KvMemory _tail = new(layout, PromptTokens + DecodeSteps, reservation: null);
        private int _count;

        public ModelStep Page() => new() { TokenIds = Ids(0, context), Position = 0, Past = [], Target = _page };

        public ModelStep Next()
        {
            var rows = _count == 0 ? PromptTokens : 1;
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
            _page.Release();
            _tail.Release();
        }

        private int[] Ids(int first, int count) => [.. Enumerable.Range(first, count).Select(position => (int)((((seed * 7919L) + position + 1) * 2654435761L) % vocabulary))];
    }
}
