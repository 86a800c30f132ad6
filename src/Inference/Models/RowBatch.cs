using System.Runtime.InteropServices;

namespace Granary.Inference.Models;

/// <summary>The rows of a step, each with its position, and groups of them that see the same pages.</summary>
/// <remarks>Reused from step to step. Grouping saves reads and changes no bit: each row's attention goes through its runs in the same order either way.</remarks>
internal sealed class RowBatch(int capacity)
{
    private readonly List<Group> _groups = []; // kept when they are empty: filling a batch allocates nothing once it has been as large
    private readonly int[] _stepRows = new int[capacity + 1];

    public int Rows { get; private set; }

    public int Groups { get; private set; }

    public int[] TokenIds { get; } = new int[capacity];

    public int[] Positions { get; } = new int[capacity];

    /// <summary>Gets what each row sees of its own sequence's memory, itself included.</summary>
    public KvRun[] Own { get; } = new KvRun[capacity];

    /// <summary>Gets the rows, group by group.</summary>
    public int[] Order { get; } = new int[capacity];

    /// <summary>Gets the rows whose logits are wanted.</summary>
    public List<int> LogitRows { get; } = [];

    public (int First, int End) RowsOf(int group) => (_groups[group].First, _groups[group].End);

    /// <summary>Gets the runs that all rows of a group see before their own.</summary>
    public ReadOnlySpan<KvRun> SharedRuns(int group) => CollectionsMarshal.AsSpan(_groups[group].Runs);

    public void Fill(IReadOnlyList<ModelStep> steps)
    {
        (Rows, Groups) = (0, 0);
        LogitRows.Clear();
        for (var index = 0; index < steps.Count; index++)
        {
            _stepRows[index] = Rows;
            Add(steps[index]);
            GroupOf(steps[index]).Steps.Add(index);
        }

        _stepRows[steps.Count] = Rows;
        var place = 0;
        for (var index = 0; index < Groups; index++)
        {
            var group = _groups[index];
            group.First = place;
            foreach (var step in group.Steps)
            {
                for (var row = _stepRows[step]; row < _stepRows[step + 1]; row++)
                {
                    Order[place++] = row;
                }
            }

            group.End = place;
        }
    }

    private void Add(ModelStep step)
    {
        var target = step.Target ?? throw new ArgumentException("A row's keys and values need a place.", nameof(step));
        var offset = step.TargetOffset;
        for (var run = 0; run < step.Past.Count; run++)
        {
            if (step.Past[run].Memory == target && step.Past[run].Count > 0)
            {
                offset = step.Past[run].Offset;
                break;
            }
        }

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

    // Steps that see the same runs are in one; a step that sees nothing but its own is in one by itself.
    private Group GroupOf(ModelStep step)
    {
        for (var index = 0; index < Groups; index++)
        {
            if (_groups[index].Runs.Count > 0 && Sees(step, _groups[index].Runs))
            {
                return _groups[index];
            }
        }

        if (Groups == _groups.Count)
        {
            _groups.Add(new Group());
        }

        var group = _groups[Groups++];
        group.Runs.Clear();
        group.Steps.Clear();
        for (var run = 0; run < step.Past.Count; run++)
        {
            if (IsShared(step, step.Past[run]))
            {
                group.Runs.Add(step.Past[run]);
            }
        }

        return group;
    }

    private static bool Sees(ModelStep step, List<KvRun> runs)
    {
        var seen = 0;
        for (var run = 0; run < step.Past.Count; run++)
        {
            if (IsShared(step, step.Past[run]) && (seen == runs.Count || runs[seen++] != step.Past[run]))
            {
                return false;
            }
        }

        return seen == runs.Count;
    }

    private static bool IsShared(ModelStep step, KvRun run) => run.Count > 0 && run.Memory != step.Target;

    private sealed class Group
    {
        public List<KvRun> Runs { get; } = [];

        public List<int> Steps { get; } = [];

        public int First { get; set; }

        public int End { get; set; }
    }
}
