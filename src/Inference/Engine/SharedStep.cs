using Granary.Inference.Generation;
using Granary.Inference.Models;
using static TorchSharp.torch;

namespace Granary.Inference.Engine;

/// <summary>One step of the device for many requests: the short steps of all that fit, and the page or long prompt whose turn it is.</summary>
/// <remarks>
/// Continuous batching (Yu et al. 2022, Orca). Who shares a step changes no bit (design, section 3). A request whose own work fails fails alone; where the rows of a
/// step fail, so do all that share it. Each one that is not done goes behind its class, so all of a class advance alike.
/// </remarks>
/// <param name="queue">Where requests wait.</param>
/// <param name="time">Measures steps.</param>
/// <param name="runControl">Runs the actions that wait; called before each of the step's two passes but the first, before which they have run.</param>
/// <param name="fail">Ends a request with an error.</param>
internal sealed class SharedStep(WorkQueue queue, TimeProvider time, Action runControl, Action<EngineRequest, Exception> fail)
{
    private readonly List<EngineRequest> _sharing = [];
    private readonly List<(EngineRequest Request, Exception Exception)> _broken = [];
    private readonly List<ModelStep> _steps = [];

    /// <summary>Runs the step.</summary>
    /// <param name="request">The request whose turn it is; out of the queue.</param>
    /// <param name="work">The same.</param>
    /// <param name="rows">Its model's.</param>
    public void Run(EngineRequest request, IModelWork work, IRowModel rows)
    {
        _sharing.Clear();
        _steps.Clear();
        var own = work.RunsInRows;
        var room = rows.MaxRows;
        if (own)
        {
            _sharing.Add(request);
            room -= work.Next.TokenIds.Length;
        }

        queue.TakeWhere(other => Fits(other, rows, ref room), _sharing);
        foreach (var (broken, exception) in _broken)
        {
            _sharing.Remove(broken);
            fail(broken, exception);
        }

        _broken.Clear();
        RunRows(rows);
        if (own)
        {
            return;
        }

        if (_sharing.Count > 0)
        {
            runControl();
        }

        if (request.CancellationToken.IsCancellationRequested)
        {
            fail(request, new OperationCanceledException(request.CancellationToken)); // its page would be for nobody
            return;
        }

        RunAlone(request);
    }

    private bool Fits(EngineRequest request, IRowModel rows, ref int room)
    {
        try
        {
            if (request is not IModelWork work || work.Model.Rows != rows || !work.RunsInRows || work.Next.TokenIds.Length > room)
            {
                return false;
            }

            request.CancellationToken.ThrowIfCancellationRequested(); // its caller may not have got round to posting it
            room -= work.Next.TokenIds.Length;
            return true;
        }
        catch (Exception exception)
        {
            _broken.Add((request, exception)); // taken, so that it can be ended; the others go on
            return true;
        }
    }

    private void RunRows(IRowModel rows)
    {
        if (_sharing.Count == 0)
        {
            return;
        }

        foreach (var request in _sharing)
        {
            _steps.Add(((IModelWork)request).Next);
        }

        var started = time.GetTimestamp();
        RowLogits logits;
        try
        {
            logits = rows.Run(_steps);
        }
        catch (Exception exception)
        {
            foreach (var request in _sharing)
            {
                fail(request, exception);
            }

            return;
        }

        var duration = time.GetElapsedTime(started);
        var first = 0;
        for (var index = 0; index < _sharing.Count; index++)
        {
            var count = Count(_steps[index]);
            Accept(_sharing[index], new StepLogits(logits, first, count), duration);
            first += count;
        }
    }

    private static int Count(ModelStep step) => step.Logits switch
    {
        LogitRows.None => 0,
        LogitRows.Last => 1,
        _ => step.TokenIds.Length,
    };

    private void Accept(EngineRequest request, StepLogits logits, TimeSpan duration)
    {
        try
        {
            EndTurn(request, ((IModelWork)request).Accept(logits, duration));
        }
        catch (Exception exception)
        {
            fail(request, exception);
        }
    }

    private void RunAlone(EngineRequest request)
    {
        try
        {
            using var scope = NewDisposeScope();
            EndTurn(request, request.Step(time));
        }
        catch (Exception exception)
        {
            fail(request, exception);
        }
    }

    private void EndTurn(EngineRequest request, bool done)
    {
        if (!done)
        {
            queue.PutBack(request);
        }
    }
}
