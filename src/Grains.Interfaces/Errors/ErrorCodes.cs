namespace Granary.Errors;

/// <summary>The closed set of error codes, and the exit code that the command gives for each (DESIGN §8).</summary>
public static class ErrorCodes
{
    /// <summary>The caller cancelled.</summary>
    public const string Cancelled = "Cancelled";

    /// <summary>A checkpoint's files are missing, cut short, contradictory or of an unsupported kind.</summary>
    public const string CheckpointInvalid = "CheckpointInvalid";

    /// <summary>A context of that name exists with other token ids, or another version than the caller asked for.</summary>
    public const string ContextConflict = "ContextConflict";

    /// <summary>No context has that name.</summary>
    public const string ContextNotFound = "ContextNotFound";

    /// <summary>Context, prompt and new tokens do not fit into the model's window.</summary>
    public const string ContextWindowExceeded = "ContextWindowExceeded";

    /// <summary>A data set's file or stored items cannot be read.</summary>
    public const string DatasetInvalid = "DatasetInvalid";

    /// <summary>No data set has that name.</summary>
    public const string DatasetNotFound = "DatasetNotFound";

    /// <summary>Context, prompt or file is empty.</summary>
    public const string EmptyInput = "EmptyInput";

    /// <summary>A file or folder does not exist.</summary>
    public const string FileNotFound = "FileNotFound";

    /// <summary>Something failed that has no code of its own.</summary>
    public const string Internal = "Internal";

    /// <summary>An argument is out of range or contradicts another.</summary>
    public const string InvalidArgument = "InvalidArgument";

    /// <summary>A name does not follow the documented pattern.</summary>
    public const string InvalidName = "InvalidName";

    /// <summary>The request needs more KV bytes than the budget.</summary>
    public const string KvBudgetExceeded = "KvBudgetExceeded";

    /// <summary>A stored manifest, or another document of the store, cannot be trusted.</summary>
    public const string ManifestInvalid = "ManifestInvalid";

    /// <summary>No such checkpoint folder or model id.</summary>
    public const string ModelNotFound = "ModelNotFound";

    /// <summary>The store knows the model id with another content.</summary>
    public const string ModelSpecConflict = "ModelSpecConflict";

    /// <summary>The model produced NaN or infinity.</summary>
    public const string NonFiniteLogits = "NonFiniteLogits";

    /// <summary>No active silo serves the model.</summary>
    public const string NoWorker = "NoWorker";

    /// <summary>A request is larger than what one call may carry.</summary>
    public const string RequestTooLarge = "RequestTooLarge";

    /// <summary>The engine's queue is full.</summary>
    public const string QueueFull = "QueueFull";

    /// <summary>No active silo has that name.</summary>
    public const string SiloNotFound = "SiloNotFound";

    /// <summary>The store has no space left.</summary>
    public const string StoreFull = "StoreFull";

    /// <summary>The store refuses writes.</summary>
    public const string StoreReadOnly = "StoreReadOnly";

    /// <summary>The store does not answer.</summary>
    public const string StoreUnavailable = "StoreUnavailable";

    /// <summary>A token id lies outside the vocabulary.</summary>
    public const string TokenOutOfVocabulary = "TokenOutOfVocabulary";

    /// <summary>The tokenizer's file is of a kind that is not supported, or damaged.</summary>
    public const string TokenizerInvalid = "TokenizerInvalid";

    /// <summary>Text was given, but the model has no tokenizer.</summary>
    public const string TokenizerMissing = "TokenizerMissing";

    /// <summary>The cluster could not be reached, or a silo died during the call.</summary>
    public const string Unavailable = "Unavailable";

    /// <summary>Gets the exit code that the command gives for an error.</summary>
    /// <param name="code">One of this class's codes.</param>
    /// <returns>1 failed, 2 wrong usage, 3 not found, 4 refused, 5 conflict, 130 cancelled; 1 for an unknown code.</returns>
    public static int ExitCodeOf(string code) => code switch
    {
        EmptyInput or InvalidArgument or InvalidName or TokenOutOfVocabulary => 2,
        ContextNotFound or DatasetNotFound or FileNotFound or ModelNotFound or SiloNotFound => 3,
        ContextWindowExceeded or KvBudgetExceeded or NoWorker or RequestTooLarge or QueueFull or TokenizerMissing => 4,
        ContextConflict or ModelSpecConflict => 5,
        Cancelled => 130,
        _ => 1,
    };
}
