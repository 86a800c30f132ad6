namespace Granary.Cluster.Tests.Chaos;

/// <summary>What is done to a silo, worst last.</summary>
internal enum Disturbance
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>SIGTERM.</summary>
    Terminated,

    /// <summary>SIGKILL.</summary>
    Killed,

    /// <summary>SIGSTOP, and SIGCONT later.</summary>
    Paused,
}

/// <summary>When something was done to a silo.</summary>
/// <param name="Kind">What.</param>
/// <param name="Began">When.</param>
/// <param name="Ended">Until when; the same instant but for a pause.</param>
internal readonly record struct DisturbedAt(Disturbance Kind, long Began, long Ended);
