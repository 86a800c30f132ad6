using Granary.Inference.Generation;
using Granary.Inference.Models;

namespace Granary.Inference.Engine;

/// <summary>Work that runs a model step by step. Its short steps share the device with those of others.</summary>
internal abstract class ModelRequest<TResult>(ICausalModel model, bool batch, CancellationToken cancellationToken)
    : EngineRequest<TResult>(batch, cancellationToken), IModelWork
{
    private ModelStep? _next;

    public ICausalModel Model { get; } = model;

    public ModelStep Next => _next ??= NextStep();

    public bool RunsInRows => Model.Rows?.Shares(Next) ?? false;

    public bool Accept(StepLogits logits, TimeSpan duration)
    {
        _next = null;
        return EndStep(Take(logits), duration);
    }

    protected override bool Advance()
    {
        var next = Next;
        _next = null;
        if (Model.Rows is { } rows && rows.Takes(next))
        {
            var rowLogits = rows.Run([next]);
            return Take(new StepLogits(rowLogits, 0, rowLogits.Rows));
        }

        using var logits = Model.Run(next);
        return Take(new StepLogits(logits));
    }

    /// <summary>Makes the next step.</summary>
    protected abstract ModelStep NextStep();

    /// <summary>Takes what the step gave; true when the request is done.</summary>
    protected abstract bool Take(StepLogits logits);
}

/// <summary>A request whose next step the engine can run together with others'.</summary>
internal interface IModelWork
{
    ICausalModel Model { get; }

    /// <summary>Gets the next step, the same one until it was run.</summary>
    ModelStep Next { get; }

    /// <summary>Gets whether the next step is one of few rows that <see cref="ICausalModel.Rows"/> runs together with others.</summary>
    bool RunsInRows { get; }

    /// <summary>Takes what the next step gave.</summary>
    /// <param name="logits">The rows that it asked for.</param>
    /// <param name="duration">How long the shared step took.</param>
    /// <returns>Whether the request is done.</returns>
    bool Accept(StepLogits logits, TimeSpan duration);
}
