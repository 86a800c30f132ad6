namespace Granary.Inference.Models;

/// <summary>The rows of a step, each with its position, and groups of them that see the same pages.</summary>
/// <remarks>Reused from step to step. Grouping saves reads and changes no bit: each row's attention goes through its runs in the same order either way.</remarks>
internal sealed class RowBatch(int capacity)
{
    private readonly List<KvRun[]> _groupRuns = [];
    private readonly List<List<int>> _groupSteps = [];
    private readonly List<(int First, int End)> _groupRows = [];
    private readonly int[] _stepRows = new int[capacity + 1];

    public int Rows { get; private set; }

    public int Groups => _groupRows.Count;

    public int[] TokenIds { get; } = new int[capacity];

    public int[] Positions { get; } = new int[capacity];

    /// <summary>Gets what each row sees of its own sequence's memory, itself included.</summary>
    public KvRun[] Own { get; } = new KvRun[capacity];

    /// <summary>Gets the rows, group by group.</summary>
    public int[] Order { get; } = new int[capacity];

    /// <summary>Gets the rows whose logits are wanted.</summary>
    public List<int> LogitRows { get; } = [];

    public (int First, int End) RowsOf(int group) => _groupRows[group];

    /// <summary>Gets the runs that all rows of a group see before their own.</summary>
    public KvRun[] SharedRuns(int group) => _groupRuns[group];

    public void Fill(IReadOnlyList<ModelStep> steps)
    {
        Rows = 0;
        LogitRows.Clear();
        _groupRuns.Clear();
        _groupSteps.Clear();
        _groupRows.Clear();
        for (var index = 0; index < steps.Count; index++)
        {
            _stepRows[index] = Rows;
            Add(steps[index]);
            Join(index, Shared(steps[index]));
        }

        _stepRows[steps.Count] = Rows;
        var place = 0;
        foreach (var members in _groupSteps)
        {
            var first = place;
            foreach (var step in members)
            {
                for (var row = _stepRows[step]; row < _stepRows[step + 1]; row++)
                {
                    Order[place++] = row;
                }
            }

            _groupRows.Add((first, place));
        }
    }

    private static KvRun[] Shared(ModelStep step) => [.. step.Past.Where(run => run.Count > 0 && run.Memory != step.Target)];

    private void Add(ModelStep step)
    {
        var target = step.Target ?? throw new ArgumentException("A row's keys and values need a place.", nameof(step));
        var before = step.Past.FirstOrDefault(run => run.Memory == target && run.Count > 0);
        var offset = before.Count > 0 ? before.Offset : step.TargetOffset;
        for (var index = 0; index < step.TokenIds.Length; index++, Rows++)
        {
            TokenIds[Rows] = step.TokenIds.Span[index];
            Positions[Rows] = step.Position + index;
            Own[Rows] = new KvRun(target, step.TargetOffset + index + 1 - offset, offset);
            if (step.Logits == Models.LogitRows.All || (step.Logits == Models.LogitRows.Last && index == step.TokenIds.Length - 1))
            {
                LogitRows.Add(Rows);
            }
        }
    }

    private void Join(int step, KvRun[] shared)
    {
        for (var group = 0; group < _groupRuns.Count; group++)
        {
            if (shared.Length > 0 && _groupRuns[group].AsSpan().SequenceEqual(shared))
            {
                _groupSteps[group].Add(step);
                return;
            }
        }

        _groupRuns.Add(shared);
        _groupSteps.Add([step]);
    }
}
