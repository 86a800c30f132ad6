namespace Granary.Inference;

/// <summary>The log events of this project, 1000 to 1999; a number is never used again.</summary>
internal static class EventIds
{
    public const int ModelLoaded = 1000;
    public const int RequestFailed = 1001;
    public const int DeviceFailed = 1002;
}
