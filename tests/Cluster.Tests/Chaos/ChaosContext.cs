using System.Globalization;
using Granary.Storage.Manifests;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>What the clients were told about one context. Thread-safe.</summary>
internal sealed class ChaosContext(string name)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, Commit> _commits = [];
    private readonly List<int[]> _unanswered = [];
    private readonly Dictionary<int, (long Began, long? Ended)> _labels = [];
    private long? _made;
    private long? _deleting;
    private long? _deleted;
    private int _tokens;

    /// <summary>The label that clients set to one number after the other.</summary>
    public const string Label = "number";

    public string Name => name;

    /// <summary>Gets the context that it was forked from, and how many ids it took over.</summary>
    public (ChaosContext Parent, int Tokens)? Fork { get; private set; }

    /// <summary>Gets the tokens that it has by now, as far as it is known.</summary>
    public int Tokens => Volatile.Read(ref _tokens);

    /// <summary>Gets whether its deletion was asked for.</summary>
    public bool IsLeaving
    {
        get
        {
            lock (_gate)
            {
                return _deleting is not null;
            }
        }
    }

    /// <summary>Gets when its deletion was acknowledged.</summary>
    public long? Deleted
    {
        get
        {
            lock (_gate)
            {
                return _deleted;
            }
        }
    }

    /// <summary>Gets when its creation was acknowledged.</summary>
    public long? Made
    {
        get
        {
            lock (_gate)
            {
                return _made;
            }
        }
    }

    /// <summary>Notes that its label is about to be set.</summary>
    public void Labelling(int number, long began)
    {
        lock (_gate)
        {
            _labels[number] = (began, null);
        }
    }

    /// <summary>Notes that its label was set.</summary>
    public void Labelled(int number, long ended)
    {
        lock (_gate)
        {
            _labels[number] = (_labels[number].Began, ended);
        }
    }

    /// <summary>Notes that it exists, with these ids.</summary>
    public void Created(int[] ids, long acknowledged)
    {
        lock (_gate)
        {
            (_commits[1], _made) = (new Commit(ids, acknowledged), acknowledged);
            _tokens = ids.Length;
        }
    }

    /// <summary>Notes that it was made of another one.</summary>
    public void Forked(ChaosContext parent, int tokens, long acknowledged)
    {
        lock (_gate)
        {
            (Fork, _made, _tokens) = ((parent, tokens), acknowledged, tokens);
        }
    }

    /// <summary>Notes a version that was acknowledged.</summary>
    /// <returns>What is wrong with it, if anything.</returns>
    public string? Grown(long version, int[] added, long acknowledged)
    {
        lock (_gate)
        {
            _tokens += added.Length;
            return _commits.TryAdd(version, new Commit(added, acknowledged)) ? null : $"'{name}': version {version} was acknowledged to two operations";
        }
    }

    /// <summary>Notes an addition that nobody knows the fate of.</summary>
    public void Unanswered(int[] added)
    {
        lock (_gate)
        {
            _unanswered.Add(added);
        }
    }

    /// <summary>Notes that its deletion begins.</summary>
    /// <returns>Whether nobody else deletes it.</returns>
    public bool BeginDelete(long now)
    {
        lock (_gate)
        {
            if (_deleting is not null)
            {
                return false;
            }

            _deleting = now;
            return true;
        }
    }

    /// <summary>Notes that its deletion was acknowledged.</summary>
    public void EndDelete(long now)
    {
        lock (_gate)
        {
            _deleted = now;
        }
    }

    /// <summary>Finds when a version was superseded by one that was acknowledged.</summary>
    public long? SupersededAt(long version)
    {
        lock (_gate)
        {
            return _commits.Where(commit => commit.Key > version).Select(static commit => (long?)commit.Value.Acknowledged).Min();
        }
    }

    /// <summary>Counts the tokens of the newest version that was acknowledged by an instant; fewer where versions before it were never answered.</summary>
    public int LeastTokens(Func<long, bool> isBefore)
    {
        lock (_gate)
        {
            var newest = _commits.Where(commit => isBefore(commit.Value.Acknowledged)).Select(static commit => commit.Key).DefaultIfEmpty().Max();
            return (Fork?.Tokens ?? 0) + _commits.Where(commit => commit.Key <= newest).Sum(static commit => commit.Value.Added.Length);
        }
    }

    /// <summary>Gets the ids that it had at first, as they were given or taken over.</summary>
    public int[]? FirstIds(Func<ChaosContext, int[]?> idsOf)
    {
        if (Fork is { } fork)
        {
            return idsOf(fork.Parent) is { } ids && ids.Length >= fork.Tokens ? ids[..fork.Tokens] : null;
        }

        lock (_gate)
        {
            return _commits.TryGetValue(1, out var first) ? first.Added : null;
        }
    }

    /// <summary>Puts together what was acknowledged, as far as it is known without a gap.</summary>
    public int[]? KnownIds(Func<ChaosContext, int[]?> idsOf)
    {
        if (FirstIds(idsOf) is not { } first)
        {
            return null;
        }

        lock (_gate)
        {
            List<int> ids = [.. first];
            for (var version = 2L; _commits.TryGetValue(version, out var commit); version++)
            {
                ids.AddRange(commit.Added);
            }

            return [.. ids];
        }
    }

    /// <summary>Compares what lies in the store with what was acknowledged: each version in its place, once, and nothing beside what was never answered.</summary>
    /// <returns>What is wrong, if anything.</returns>
    public string? Compare(ContextManifest? stored, int[] first)
    {
        lock (_gate)
        {
            var isThere = stored is not null && stored.IsAliveAt(TimeProvider.System.GetUtcNow());
            if (_deleting is not null)
            {
                // Whether one that nobody has answered was done is open.
                return _deleted is not null && isThere ? $"'{name}' was deleted, and is {stored!.State} at version {stored.Version}" : null;
            }

            return isThere ? CompareVersions(stored!, first) ?? CompareLabel(stored!) : $"'{name}' was acknowledged, and is {(stored is null ? "gone" : "deleted")}";
        }
    }

    private string? CompareVersions(ContextManifest stored, int[] first)
    {
        var unanswered = _unanswered.ToList();
        ReadOnlySpan<int> rest = stored.TokenIds;
        for (var version = 1L; version <= stored.Version; version++)
        {
            var added = version == 1 ? first : _commits.TryGetValue(version, out var commit) ? commit.Added : Take(unanswered, rest);
            if (added is null || !rest.StartsWith(added))
            {
                return $"'{name}': version {version} is {(added is null ? "nobody's" : "not what was acknowledged")}";
            }

            rest = rest[added.Length..];
        }

        return rest.IsEmpty && _commits.Keys.All(version => version <= stored.Version) ? null : $"'{name}': {rest.Length} ids too many, or a version after {stored.Version} is lost";
    }

    // The label that is there was not overtaken: nobody was told of a later one that began after it had been set.
    private string? CompareLabel(ContextManifest stored)
    {
        var acknowledged = _labels.Where(static label => label.Value.Ended is not null).ToList();
        if (!stored.Labels.TryGetValue(Label, out var text))
        {
            return acknowledged.Count == 0 ? null : $"'{name}': label {acknowledged[0].Key} was acknowledged, and there is none";
        }

        var number = int.Parse(text, CultureInfo.InvariantCulture);
        var ended = _labels[number].Ended ?? long.MaxValue;
        return acknowledged.FirstOrDefault(label => label.Value.Began > ended) is { Key: not 0 } later ? $"'{name}': label {number} is there, and {later.Key} was acknowledged after it" : null;
    }

    private static int[]? Take(List<int[]> unanswered, ReadOnlySpan<int> ids)
    {
        foreach (var candidate in unanswered)
        {
            if (ids.StartsWith(candidate))
            {
                unanswered.Remove(candidate);
                return candidate;
            }
        }

        return null;
    }

    private readonly record struct Commit(int[] Added, long Acknowledged);
}
