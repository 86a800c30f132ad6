namespace Granary.Client;

/// <summary>The log events of this project, 6000 to 6999; a number is never used again.</summary>
internal static class EventIds
{
    public const int TriedAgain = 6000;
}
