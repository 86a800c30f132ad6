namespace Granary.Storage.Errors;

/// <summary>What a caller of the storage library can get wrong, or must know about the store: what happened, and what to do about it.</summary>
/// <remarks>Codes are those of <c>Granary.Errors.ErrorCodes</c>, which this library does not reference; the grains and the command translate at their edge.</remarks>
/// <param name="code">The error's code.</param>
/// <param name="message">What happened, with values and limit.</param>
/// <param name="remedy">What the caller can do.</param>
/// <param name="inner">The cause, kept for logs.</param>
public sealed class StorageException(string code, string message, string remedy, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Gets the error's code.</summary>
    public string Code { get; } = code;

    /// <summary>Gets what the caller can do.</summary>
    public string Remedy { get; } = remedy;
}
