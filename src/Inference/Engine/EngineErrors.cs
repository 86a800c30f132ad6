using Granary.Inference.Errors;

namespace Granary.Inference.Engine;

/// <summary>What a caller of the engine can get wrong. Codes are those of <c>Granary.Errors.ErrorCodes</c>.</summary>
internal static class EngineErrors
{
    public static InferenceException QueueFull(int capacity) => new(
        "QueueFull", $"The engine's queue is full: {capacity} requests wait.", "Ask again later, or raise Granary:Engine:QueueCapacity.");

    public static InferenceException Failed(Exception cause) => new(
        "Unavailable", $"The device thread failed: {cause.Message}", "Restart the process; is libtorch beside it?", cause);

    public static InferenceException Stopped() => new(
        "Unavailable", "The engine has stopped.", "Ask another silo.");

    public static InferenceException Empty(string what) => new(
        "EmptyInput", $"There are no {what}.", $"Give at least one of the {what}.");

    public static InferenceException OutsideVocabulary(int id, int index, int vocabulary) => new(
        "TokenOutOfVocabulary", $"Token id {id} at index {index} lies outside the vocabulary of {vocabulary}.", "Tokenize the text with the model's own tokenizer.");

    public static InferenceException WindowExceeded(long tokens, int window) => new(
        "ContextWindowExceeded",
        $"Context, prompt and new tokens are {tokens} tokens together, the model's window is {window}.",
        "Shorten the context (--truncate left when it is created) or the prompt, or ask for fewer new tokens.");

    public static InferenceException NoTokenizer(string modelId) => new(
        "TokenizerMissing", $"Model '{modelId}' has no tokenizer, so stop strings cannot be found.", "Put tokenizer.json into the checkpoint's folder, or leave the stop strings out.");

    public static InferenceException Invalid(string message, string remedy) => new("InvalidArgument", message, remedy);

    public static InferenceException NonFinite(long position) => new(
        "NonFiniteLogits",
        $"The model produced NaN or infinity after the token at position {position}.",
        "Check the checkpoint (granary model verify), or run it with another --dtype.");

    public static InferenceException TooLarge(string what, long bytes) => new(
        "RequestTooLarge", $"The {what} would be {bytes} bytes, one result carries at most {int.MaxValue}.", "Run fewer tokens at once, or a smaller --dtype.");
}
