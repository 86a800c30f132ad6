namespace Granary.Storage.Objects;

/// <summary>What must hold of an object for a write or delete to happen; where it does not, the store throws <see cref="Errors.ObjectConflictException"/> and changes nothing.</summary>
public readonly record struct Precondition
{
    private Precondition(bool mustBeAbsent, ObjectVersion? version)
    {
        MustBeAbsent = mustBeAbsent;
        Version = version;
    }

    /// <summary>Gets the precondition that always holds.</summary>
    public static Precondition None => default;

    /// <summary>Gets the precondition that no object has the key (<c>If-None-Match: *</c>).</summary>
    public static Precondition Absent => new(true, null);

    /// <summary>Gets whether the object must not exist.</summary>
    public bool MustBeAbsent { get; }

    /// <summary>Gets the version that the object must have, or <see langword="null"/>.</summary>
    public ObjectVersion? Version { get; }

    /// <summary>Gets the precondition that the object is as it was read (<c>If-Match</c>); an absent object is not.</summary>
    /// <param name="version">The version that was read.</param>
    /// <returns>The precondition.</returns>
    public static Precondition Unchanged(ObjectVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        return new(false, version);
    }

    /// <summary>Gets whether it holds of an object that has a version, or is absent.</summary>
    internal bool Holds(ObjectVersion? current) => MustBeAbsent ? current is null : Version is null || Version == current;
}
