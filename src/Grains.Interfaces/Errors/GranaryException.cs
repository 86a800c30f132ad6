namespace Granary.Errors;

/// <summary>What a caller of Granary can get wrong, or must know: what happened, and what to do about it.</summary>
/// <remarks>It crosses grain calls with its code and remedy. <see cref="ErrorCodes.ExitCodeOf"/> gives its exit code.</remarks>
[GenerateSerializer, Alias("granary.exception")]
public class GranaryException : Exception
{
    /// <summary>Creates an error.</summary>
    /// <param name="code">One of <see cref="ErrorCodes"/>.</param>
    /// <param name="message">What happened, with the values and the limit.</param>
    /// <param name="remedy">What the caller can do.</param>
    /// <param name="innerException">The cause, kept for logs.</param>
    public GranaryException(string code, string message, string remedy, Exception? innerException = null)
        : base(message, innerException)
    {
        Code = code;
        Remedy = remedy;
    }

    /// <summary>Gets the error's code, one of <see cref="ErrorCodes"/>.</summary>
    [Id(0)]
    public string Code { get; private set; }

    /// <summary>Gets what the caller can do.</summary>
    [Id(1)]
    public string Remedy { get; private set; }

    /// <summary>Gets the context's version, where the request asked for another one (<see cref="ErrorCodes.ContextConflict"/>); otherwise <see langword="null"/>.</summary>
    [Id(2)]
    public long? CurrentVersion { get; init; }
}
