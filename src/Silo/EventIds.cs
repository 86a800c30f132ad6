namespace Granary.Silo;

/// <summary>The log events of this project, 4000 to 4999; a number is never used again.</summary>
internal static class EventIds
{
    public const int WarmedUp = 4000;
    public const int WarmUpFailed = 4001;
}
