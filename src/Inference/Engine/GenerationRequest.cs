using Granary.Inference.Generation;
using Granary.Inference.Models;

namespace Granary.Inference.Engine;

/// <summary>An ask on the device: the prompt's steps, split at page boundaries, then one row a step.</summary>
internal sealed class GenerationRequest : ModelRequest<GenerationResult>
{
    private readonly GenerationWork _work;
    private readonly AnswerText? _text;
    private readonly SeenTokens? _seen;
    private readonly TokenSampler _sampler;
    private readonly LogitReader _reader;
    private readonly KvRun[] _past; // the context's pages, and the tail last: as it is before each step
    private readonly int[] _lastToken = new int[1];
    private readonly List<int> _tokens;
    private readonly List<double> _logProbabilities = [];
    private readonly List<ScoredToken[]> _top = [];
    private int _prompted;
    private string? _finishReason;

    public GenerationRequest(ICausalModel model, GenerationWork work, AnswerText? text)
        : base(model, work.Batch, work.CancellationToken)
    {
        (_work, _text, _past) = (work, text, KvPlan.RunsOf(work.Pages));
        _tokens = new List<int>(work.Options.MaxNewTokens);
        if (work.Options.RepetitionPenalty != 1)
        {
            _seen = new SeenTokens(model.Config.VocabularySize, work.PriorIds.Length + work.PromptIds.Length + work.Options.MaxNewTokens);
            _seen.Add(work.PriorIds.Span);
            _seen.Add(work.PromptIds);
        }

        _sampler = new TokenSampler(work.Options, _seen);
        _reader = new LogitReader(model.Config.VocabularySize);
        Hold(work.Pages);
        Hold(work.Tail.Data);
    }

    public override bool HandsOver => _work.Streamed && _tokens.Count == _work.GivenIds.Length + 1; // its first new one

    protected override GenerationResult Result => new()
    {
        FinishReason = _finishReason ?? throw new InvalidOperationException("The answer has not ended."),
        TokenIds = [.. _tokens],
        LogProbabilities = _work.Options.LogProbabilities ? [.. _logProbabilities] : null,
        TopLogProbabilities = _work.Options.TopLogProbabilities > 0 ? [.. _top] : null,
        Text = _text?.ToString(),
        DeviceTime = DeviceTime,
    };

    protected override ModelStep NextStep()
    {
        var tail = _work.Tail;
        var position = tail.Start + tail.Count;
        var prompt = _work.PromptIds.AsMemory(_prompted);
        var rows = prompt.IsEmpty ? 1 : KvPlan.Rows(position, prompt.Length, tail.Data.Layout.PageSize);
        _past[^1] = new KvRun(tail.Data, tail.Count);
        _lastToken[0] = prompt.IsEmpty ? _tokens[^1] : 0;
        return new ModelStep
        {
            TokenIds = prompt.IsEmpty ? _lastToken : prompt[..rows],
            Position = position,
            Past = _past,
            Target = tail.Data,
            TargetOffset = tail.Count,
            Logits = rows >= prompt.Length ? LogitRows.Last : LogitRows.None,
        };
    }

    protected override bool Take(StepLogits logits)
    {
        var tail = _work.Tail;
        var prompted = Math.Min(_work.PromptIds.Length - _prompted, KvPlan.Rows(tail.Start + tail.Count, int.MaxValue, tail.Data.Layout.PageSize));
        _prompted += prompted;
        tail.Count += Math.Max(1, prompted);
        if (logits.Rows > 0)
        {
            Emit(_reader.Read(logits, 0, tail.Start + tail.Count - 1));
        }

        return _finishReason is not null;
    }

    private void Emit(LogitRow logits)
    {
        var options = _work.Options;
        var given = _work.GivenIds.Span;
        var id = _tokens.Count < given.Length ? given[_tokens.Count] : _sampler.Choose(logits, _work.Tail.Start + _work.Tail.Count);
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
        if (!_work.Options.IgnoreEos && id == Model.Config.EosTokenId)
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
