using Granary.Inference.Models;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>The prefill of one page, in one step: its KV and nothing else.</summary>
internal sealed class PageRequest : EngineRequest<TimeSpan>
{
    private readonly ICausalModel _model;
    private readonly IReadOnlyList<KvPage> _prefix;
    private readonly KvPage _page;
    private readonly ReadOnlyMemory<int> _tokenIds;

    public PageRequest(ICausalModel model, IReadOnlyList<KvPage> prefix, KvPage page, ReadOnlyMemory<int> tokenIds, bool batch, CancellationToken cancellationToken)
        : base(batch, cancellationToken)
    {
        (_model, _prefix, _page, _tokenIds) = (model, prefix, page, tokenIds);
        foreach (var before in prefix)
        {
            Hold(before.Data);
        }

        Hold(page.Data);
    }

    protected override TimeSpan Result => DeviceTime;

    protected override bool Advance()
    {
        _model.Run(new ModelStep
        {
            TokenIds = _tokenIds,
            Position = _page.Start,
            Past = [.. _prefix.Select(before => new KvRun(before.Data, before.Count))],
            Target = _page.Data,
            Page = true,
        })?.Dispose();
        return true;
    }
}
