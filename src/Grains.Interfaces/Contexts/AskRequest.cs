namespace Granary.Contexts;

/// <summary>A prompt that is put after a stored context.</summary>
[GenerateSerializer, Immutable, Alias("granary.ask")]
public sealed record AskRequest
{
    /// <summary>Gets the prompt, tokenized apart from the context.</summary>
    [Id(0)]
    public required TokenInput Prompt { get; init; }

    /// <summary>Gets how the answer is decoded.</summary>
    [Id(1)]
    public GenerationOptions Options { get; init; } = new();

    /// <summary>Gets whether a stored prefix is loaded or recomputed. It cannot change the answer.</summary>
    [Id(2)]
    public PlanChoice Plan { get; init; }

    /// <summary>Gets the only version that may answer.</summary>
    /// <value>Default: <see langword="null"/>, the newest.</value>
    [Id(3)]
    public long? IfVersion { get; init; }

    /// <summary>Gets whether the ask yields to interactive ones, as when a data set is asked.</summary>
    [Id(4)]
    public bool Batch { get; init; }

    /// <summary>Gets whether prompt and answer become the context's next version, in one step after the last token.</summary>
    /// <remarks>
    /// All decoded ids are kept, the one that ended the answer included. Where another version came in between, the stream ends with
    /// <see cref="Errors.ErrorCodes.ContextConflict"/> and nothing is kept; a cancelled ask keeps nothing.
    /// </remarks>
    [Id(5)]
    public bool Keep { get; init; }

    /// <summary>Gets the id under which an ask that is sent again is kept once.</summary>
    /// <value>1 to 128 characters. Default: <see langword="null"/>, the SDK draws one.</value>
    /// <remarks>A context remembers those of the last two minutes, and its last 64 in any case. What was kept under it is answered again, token by token, whatever the context has become since.</remarks>
    [Id(6)]
    public string? OperationId { get; init; }

    /// <summary>Gets how far the answer had come when its stream broke: it goes on at the next token. The SDK sets it.</summary>
    [Id(7)]
    public AnswerResume? Resume { get; init; }
}
