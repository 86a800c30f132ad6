namespace Granary.Storage.Errors;

/// <summary>The codes that this library gives, spelled as in <c>Granary.Errors.ErrorCodes</c>.</summary>
internal static class StorageErrorCodes
{
    public const string ContextNotFound = "ContextNotFound";
    public const string FileNotFound = "FileNotFound";
    public const string InvalidArgument = "InvalidArgument";
    public const string InvalidName = "InvalidName";
    public const string ManifestInvalid = "ManifestInvalid";
    public const string ModelSpecConflict = "ModelSpecConflict";
    public const string RequestTooLarge = "RequestTooLarge";
    public const string StoreFull = "StoreFull";
    public const string StoreReadOnly = "StoreReadOnly";
    public const string StoreUnavailable = "StoreUnavailable";
}
