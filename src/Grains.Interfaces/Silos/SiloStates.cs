namespace Granary.Silos;

/// <summary>The states of a silo.</summary>
public static class SiloStates
{
    /// <summary>It takes whatever comes.</summary>
    public const string Serving = "serving";

    /// <summary>It takes nothing new; what runs goes on for a while.</summary>
    public const string Draining = "draining";

    /// <summary>Nothing runs there any more: it stops.</summary>
    public const string Drained = "drained";

    /// <summary>It has left the cluster.</summary>
    public const string Stopped = "stopped";

    /// <summary>The membership lists it, and it does not answer; its figures are the last that it told.</summary>
    public const string Silent = "silent";
}
