namespace Granary.Grains;

/// <summary>Numbers of this project's log events, 3000 to 3999, never reused.</summary>
internal static class EventIds
{
    public const int ContextFenced = 3000;
    public const int ContextServedUnchecked = 3001;
    public const int CreateFailed = 3002;
    public const int RefreshFailed = 3003;
    public const int ChunkRefused = 3010;
    public const int ChunkRepairFailed = 3011;
    public const int LeasesReclaimed = 3020;
    public const int ModelLoaded = 3030;
    public const int ModelInexact = 3031;
    public const int InventoryPublishFailed = 3040;
    public const int DatasetRunStarted = 3050;
    public const int DatasetRunEnded = 3051;
    public const int DatasetItemFailed = 3052;
    public const int DatasetReminderStays = 3053;
    public const int StoreProbed = 3060;
    public const int StoreProbeFailed = 3061;
    public const int SweepEnded = 3070;
    public const int SweepFailed = 3071;
    public const int SweepNotScheduled = 3072;
    public const int DrainBegan = 3080;
    public const int Drained = 3081;
    public const int DrainTimedOut = 3082;
    public const int DrainFailed = 3083;
}
