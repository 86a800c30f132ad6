using Granary.Inference.Checkpoints;
using Granary.Inference.Engine;
using Granary.Inference.Generation;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Engine;

/// <summary>Which requests share a step, without a model: one that breaks ends alone, and nobody is lost.</summary>
[Trait("Invariant", "7")]
public sealed class StepSharingTests : IDisposable
{
    private readonly WorkQueue _queue = new(capacity: 128);
    private readonly FakeModel _model = new();
    private readonly List<Exception> _failures = [];
    private int _controls;

    [Fact]
    public void Run_RequestCannotSayItsStep_FailsAloneAndTheOthersRun()
    {
        var (first, broken, last) = (Add(rows: 1), Add(rows: -1), Add(rows: 1));

        RunNext();

        Assert.Equal((1, 0, 1), (first.Taken, broken.Taken, last.Taken));
        Assert.Equal("broken", Assert.Single(_failures).Message);
        Assert.True(broken.Completion.IsFaulted);
        Assert.Equal([2], _model.Rows.Steps);
    }

    [Fact]
    public void Run_StepFails_AllThatSharedItFail()
    {
        var requests = new[] { Add(rows: 1), Add(rows: 2) };
        _model.Rows.Fails = true;

        RunNext();

        Assert.All(requests, request => Assert.True(request.Completion.IsFaulted));
        Assert.Equal(0, _queue.Depth);
    }

    [Fact]
    public void Run_MoreThanFits_TheRestWaitsForTheNextStep()
    {
        var requests = Enumerable.Range(0, 100).Select(_ => Add(rows: 1)).ToArray();

        RunNext();
        Assert.Equal(64, requests.Count(request => request.Taken == 1));
        RunNext();

        // The second step begins with those that waited: nobody is a whole turn behind.
        Assert.All(requests, request => Assert.InRange(request.Taken, 1, 2));
        Assert.Equal([64, 64], _model.Rows.Steps);
    }

    [Fact]
    public void Run_PageBesideRows_ControlActionsRunBetweenThem()
    {
        var (page, row) = (Add(rows: 256), Add(rows: 1));

        RunNext();

        Assert.Equal((1, 1, 1), (page.Taken, row.Taken, _controls));
        Assert.Equal([1, 1], _model.Rows.Steps); // the rows by themselves, then the page
    }

    [Fact]
    public void Run_PageIsCancelledWhileRowsRun_ItIsNotComputed()
    {
        using var leave = new CancellationTokenSource();
        var (page, row) = (Add(rows: 256, leave.Token), Add(rows: 1));
        row.Takes = leave.Cancel;

        RunNext();

        Assert.Equal((0, 1), (page.Taken, row.Taken));
        Assert.True(page.Completion.IsCanceled);
        Assert.Equal([1], _model.Rows.Steps);
    }

    public void Dispose() => _model.Dispose();

    private void RunNext()
    {
        var request = _queue.Take().Request ?? throw new InvalidOperationException("Nothing waits.");
        new SharedStep(_queue, TimeProvider.System, () => _controls++, Fail).Run(request, (IModelWork)request, _model.Rows);
    }

    private void Fail(EngineRequest request, Exception exception)
    {
        _failures.Add(exception);
        request.Fail(exception);
    }

    private FakeWork Add(int rows, CancellationToken cancellationToken = default)
    {
        var work = new FakeWork(_model, rows, cancellationToken);
        _queue.Add(work);
        return work;
    }

    // Work of many steps of some rows each; fewer than one row is none that can be said.
    private sealed class FakeWork(ICausalModel model, int rows, CancellationToken cancellationToken) : ModelRequest<bool>(model, batch: false, cancellationToken)
    {
        public int Taken { get; private set; }

        public Action Takes { get; set; } = static () => { };

        protected override bool Result => true;

        protected override ModelStep NextStep() => new()
        {
            TokenIds = new int[rows < 0 ? throw new InvalidOperationException("broken") : rows],
            Position = 0,
            Past = [],
        };

        protected override bool Take(StepLogits logits)
        {
            Taken++;
            Takes();
            return false;
        }
    }

    private sealed class FakeModel : ICausalModel
    {
        public FakeRows Rows { get; } = new();

        IRowModel ICausalModel.Rows => Rows;

        public ModelConfig Config => throw new NotSupportedException();

        public KvDtype Dtype => KvDtype.Float32;

        public long WeightBytes => 0;

        public long MappedWeightBytes => 0;

        public string RotaryDigest => "";

        public Tensor? Run(ModelStep step) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }

    private sealed class FakeRows : IRowModel
    {
        public List<int> Steps { get; } = [];

        public bool Fails { get; set; }

        public int MaxRows => 64;

        public long WorkspaceBytes => 0;

        public string InstructionSet => "none";

        public bool Takes(ModelStep step) => true;

        public bool Shares(ModelStep step) => step.TokenIds.Length <= 32;

        public unsafe RowLogits Run(IReadOnlyList<ModelStep> steps)
        {
            Steps.Add(steps.Count);
            return Fails ? throw new InvalidOperationException("the step") : new RowLogits(null, 0, 1);
        }

        public void Dispose()
        {
        }
    }
}
