using Granary.Inference.Generation;
using Granary.Inference.Models;

namespace Granary.Inference.Engine;

/// <summary>An ask on the device: the prompt's steps, split at page boundaries, then one row a step.</summary>
internal sealed class GenerationRequest : EngineRequest<GenerationResult>
{
    private readonly ICausalModel _model;
    private readonly GenerationWork _work;
    private readonly AnswerText? _text;
    private readonly SeenTokens? _seen;
    private readonly TokenSampler _sampler;
    private readonly LogitReader _reader;
    private readonly List<int> _tokens = [];
    private readonly List<double> _logProbabilities = [];
    private readonly List<ScoredToken[]> _top = [];
    private int _prompted;
    private string? _finishReason;

    public GenerationRequest(ICausalModel model, GenerationWork work, AnswerText? text)
        : base(work.Batch, work.CancellationToken)
    {
        (_model, _work, _text) = (model, work, text);
        if (work.Options.RepetitionPenalty != 1)
        {
            _seen = new SeenTokens(model.Config.VocabularySize, work.PriorIds.Length + work.PromptIds.Length + work.Options.MaxNewTokens);
            _seen.Add(work.PriorIds.Span);
            _seen.Add(work.PromptIds);
        }

        _sampler = new TokenSampler(work.Options, _seen);
        _reader = new LogitReader(model.Config.VocabularySize);
        foreach (var page in work.Pages)
        {
            Hold(page.Data);
        }

        Hold(work.Tail.Data);
    }

    protected override GenerationResult Result => new()
    {
        FinishReason = _finishReason ?? throw new InvalidOperationException("The answer has not ended."),
        TokenIds = [.. _tokens],
        LogProbabilities = _work.Options.LogProbabilities ? [.. _logProbabilities] : null,
        TopLogProbabilities = _work.Options.TopLogProbabilities > 0 ? [.. _top] : null,
        Text = _text?.ToString(),
        DeviceTime = DeviceTime,
    };

    protected override bool Advance()
    {
        var prompt = _work.PromptIds.AsMemory(_prompted);
        if (prompt.IsEmpty)
        {
            Decode(new[] { _tokens[^1] }, LogitRows.Last);
            return _finishReason is not null;
        }

        var position = _work.Tail.Start + _work.Tail.Count;
        var rows = KvPlan.Rows(position, prompt.Length, _work.Tail.Data.Layout.PageSize);
        _prompted += rows;
        Decode(prompt[..rows], rows == prompt.Length ? LogitRows.Last : LogitRows.None);
        return _finishReason is not null;
    }

    private void Decode(ReadOnlyMemory<int> tokenIds, LogitRows wanted)
    {
        var tail = _work.Tail;
        using var logits = _model.Run(new ModelStep
        {
            TokenIds = tokenIds,
            Position = tail.Start + tail.Count,
            Past = KvPlan.Past(_work.Pages, tail),
            Target = tail.Data,
            TargetOffset = tail.Count,
            Logits = wanted,
        });
        tail.Count += tokenIds.Length;
        if (logits is not null)
        {
            Emit(_reader.Read(logits, 0, tail.Start + tail.Count - 1));
        }
    }

    private void Emit(LogitRow logits)
    {
        var options = _work.Options;
        var id = _sampler.Choose(logits, _work.Tail.Start + _work.Tail.Count);
        _tokens.Add(id);
        _seen?.Add([id]);
        double? score = null;
        ScoredToken[]? top = null;
        if (options.LogProbabilities || options.TopLogProbabilities > 0)
        {
            var normalizer = LogProbabilities.Normalizer(logits);
            score = logits[id] - normalizer;
            _logProbabilities.Add(logits[id] - normalizer);
            top = LogProbabilities.Top(logits, normalizer, options.TopLogProbabilities);
            _top.Add(top);
        }

        var text = Finish(id);
        _work.OnToken?.Invoke(new GeneratedToken(_tokens.Count - 1, id, text, options.LogProbabilities ? score : null, options.TopLogProbabilities > 0 ? top : null));
    }

    // Decides whether the token ends the answer; gives the text that became certain.
    private string? Finish(int id)
    {
        if (!_work.Options.IgnoreEos && id == _model.Config.EosTokenId)
        {
            _finishReason = "eos";
            return _text?.Flush();
        }

        if (_work.Options.StopIds.Contains(id))
        {
            _finishReason = "stop";
            return _text?.Flush();
        }

        var text = _text?.Append(id);
        if (_text is { Stopped: true })
        {
            _finishReason = "stop";
        }
        else if (_tokens.Count == _work.Options.MaxNewTokens)
        {
            _finishReason = "length";
            text += _text?.Flush();
            if (_text is { Stopped: true })
            {
                _finishReason = "stop"; // the decoder held back what completed a stop string
            }
        }

        return _text is null ? null : text;
    }
}
