using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The prefill of one page, in one step: its KV and nothing else.</summary>
internal sealed class PageRequest : ModelRequest<TimeSpan>
{
    private readonly IReadOnlyList<KvPage> _prefix;
    private readonly KvPage _page;
    private readonly ReadOnlyMemory<int> _tokenIds;

    public PageRequest(ICausalModel model, IReadOnlyList<KvPage> prefix, KvPage page, ReadOnlyMemory<int> tokenIds, bool batch, CancellationToken cancellationToken)
        : base(model, batch, cancellationToken)
    {
        (_prefix, _page, _tokenIds) = (prefix, page, tokenIds);
        Hold(prefix);
        Hold(page.Data);
    }

    protected override TimeSpan Result => DeviceTime;

    protected override ModelStep NextStep() => new()
    {
        TokenIds = _tokenIds,
        Position = _page.Start,
        Past = [.. _prefix.Select(static before => new KvRun(before.Data, before.Count))],
        Target = _page.Data,
    };

    protected override bool Take(StepLogits logits)
    {
        PageCodec.Apply(_page.Data); // before anyone reads it: what is resident is what is stored
        return true;
    }
}
