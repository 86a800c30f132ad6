using System.Collections.Concurrent;
using Granary.Contexts;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>Everything that the clients of a run did and were told, and what was wrong with it. Thread-safe.</summary>
internal sealed class ChaosLedger
{
    // A zombie serves for a second, a check takes its time, and so does this process (the bound).
    private static readonly TimeSpan MostStale = TimeSpan.FromSeconds(3);

    // So long a silo's death may not be known to the others: a call that begins meanwhile is struck by it.
    private static readonly TimeSpan Unknown = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<string, ChaosContext> _contexts = [];
    private readonly ConcurrentQueue<string> _violations = [];
    private readonly ConcurrentQueue<ChaosAnswer> _answers = [];
    private readonly ConcurrentQueue<ChaosCall> _calls = [];
    private int _names;

    /// <summary>Gets all contexts that there ever were.</summary>
    public IReadOnlyCollection<ChaosContext> Contexts => [.. _contexts.Values];

    /// <summary>Gets the contexts that nobody has begun to delete.</summary>
    public IReadOnlyList<ChaosContext> Living => [.. _contexts.Values.Where(static context => !context.IsLeaving && context.Tokens > 0)];

    /// <summary>Gets what was wrong.</summary>
    public IReadOnlyCollection<string> Violations => _violations;

    /// <summary>Gets the answers, for the comparison with a reference.</summary>
    public IReadOnlyCollection<ChaosAnswer> Answers => _answers;

    /// <summary>Gets how long each call took.</summary>
    public IReadOnlyCollection<ChaosCall> Calls => _calls;

    /// <summary>Enters a context that is about to be created.</summary>
    public ChaosContext New()
    {
        var name = $"chaos-{Interlocked.Increment(ref _names):D4}";
        return _contexts[name] = new ChaosContext(name);
    }

    /// <summary>Notes what must not have happened.</summary>
    public void Violate(string what) => _violations.Enqueue(what);

    /// <summary>Notes a call.</summary>
    public void Note(ChaosCall call) => _calls.Enqueue(call);

    /// <summary>Notes an answer.</summary>
    public void Note(ChaosAnswer answer) => _answers.Enqueue(answer);

    /// <summary>Checks that what was read was not superseded long before.</summary>
    public void CheckFresh(ChaosContext context, long version, long began)
    {
        if (context.SupersededAt(version) is { } superseded && TimeProvider.System.GetElapsedTime(superseded, began) > MostStale)
        {
            Violate($"'{context.Name}': version {version} was read {TimeProvider.System.GetElapsedTime(superseded, began)} after it was superseded");
        }

        CheckNotDeleted(context, began);
    }

    /// <summary>Checks that what was forked was not superseded long before: the fork has at least the tokens that were acknowledged by then.</summary>
    public void CheckForked(ChaosContext parent, int tokens, long began)
    {
        if (parent.LeastTokens(acknowledged => TimeProvider.System.GetElapsedTime(acknowledged, began) > MostStale) is var least && tokens < least)
        {
            Violate($"'{parent.Name}': {tokens} tokens were forked, {MostStale} and more after it had {least}");
        }

        CheckNotDeleted(parent, began);
    }

    /// <summary>Checks that a list had what was acknowledged before, and nothing that was deleted long before.</summary>
    public void CheckListed(IReadOnlyDictionary<string, long> versions, long began)
    {
        foreach (var context in _contexts.Values)
        {
            if (versions.TryGetValue(context.Name, out var version))
            {
                CheckFresh(context, version, began);
            }
            else if (context.Made < began && !context.IsLeaving)
            {
                Violate($"'{context.Name}' was acknowledged, and not listed");
            }
        }
    }

    /// <summary>Checks that what was not found had been deleted, or was about to be.</summary>
    public void CheckGone(ChaosContext context, string verb)
    {
        if (!context.IsLeaving)
        {
            Violate($"'{context.Name}' was acknowledged, and not found ({verb})");
        }
    }

    private void CheckNotDeleted(ChaosContext context, long began)
    {
        if (context.Deleted is { } deleted && TimeProvider.System.GetElapsedTime(deleted, began) > MostStale)
        {
            Violate($"'{context.Name}': it was read {TimeProvider.System.GetElapsedTime(deleted, began)} after its deletion");
        }
    }

    /// <summary>Forgets the calls so far: they were made to silos that had done nothing yet.</summary>
    public void BeginMeasuring() => _calls.Clear();

    /// <summary>Finds the waits that each kind of disturbance is to blame for, the worst that happened within the call or shortly before; the longest first.</summary>
    public IReadOnlyDictionary<Disturbance, IReadOnlyList<ChaosWait>> FindWaits(IReadOnlyList<DisturbedAt> disturbances, TimeSpan after) =>
        _calls.Select(call => WaitOf(call, disturbances, after)).GroupBy(static wait => wait.Kind)
            .ToDictionary(static waits => waits.Key, static IReadOnlyList<ChaosWait> (waits) => [.. waits.OrderByDescending(static wait => wait.Took / wait.Blows)]);

    private static ChaosWait WaitOf(ChaosCall call, IReadOnlyList<DisturbedAt> disturbances, TimeSpan after)
    {
        var clock = TimeProvider.System;
        var blamed = disturbances
            .Where(disturbance => clock.GetElapsedTime(disturbance.Began, call.Ended) > TimeSpan.Zero && clock.GetElapsedTime(disturbance.Ended, call.Began) < after)
            .ToList();
        var kind = blamed.Select(static disturbance => disturbance.Kind).DefaultIfEmpty(Disturbance.None).Max();
        var blows = blamed.Count(disturbance => disturbance.Kind == kind && clock.GetElapsedTime(disturbance.Began, call.Began) < Unknown);
        return new ChaosWait(call, kind, clock.GetElapsedTime(call.Began, call.Ended), Math.Max(1, blows));
    }
}

/// <summary>How long a call took, with all that the SDK tried again.</summary>
/// <param name="Call">The call.</param>
/// <param name="Kind">What is to blame.</param>
/// <param name="Took">How long.</param>
/// <param name="Blows">How many of that kind fell within the call, or just before, at least one: each may have struck it where it went on.</param>
internal readonly record struct ChaosWait(ChaosCall Call, Disturbance Kind, TimeSpan Took, int Blows);

/// <summary>A call, as its caller saw it.</summary>
internal readonly record struct ChaosCall(int Client, string Verb, string Context, long Began, long Ended);

/// <summary>An answer that has to be that of a single process.</summary>
internal sealed record ChaosAnswer(ChaosContext Context, int ContextTokens, int[] Prompt, GenerationOptions Options, int[] TokenIds);
