namespace Granary.Inference.Checkpoints;

/// <summary>The codes of <c>Granary.Errors.ErrorCodes</c> that checkpoints and tokenizers raise; this library does not reference that class.</summary>
internal static class ErrorCode
{
    public const string CheckpointInvalid = "CheckpointInvalid";
    public const string FileNotFound = "FileNotFound";
    public const string InvalidArgument = "InvalidArgument";
    public const string ModelNotFound = "ModelNotFound";
    public const string TokenizerInvalid = "TokenizerInvalid";
}
