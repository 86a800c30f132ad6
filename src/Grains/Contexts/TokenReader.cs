using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Models;
using Granary.Models;

namespace Granary.Grains.Contexts;

/// <summary>Makes token ids of what a request gives, or refuses it.</summary>
internal static class TokenReader
{
    // What one grain call may carry, far below the 100 MiB at which Orleans drops the connection.
    private const int MostCharacters = 4 << 20;

    /// <summary>Reads an input.</summary>
    /// <param name="what">What it is, for the message.</param>
    /// <param name="input">Text or ids.</param>
    /// <param name="model">The model.</param>
    /// <param name="worker">Its worker on this silo, which has the tokenizer.</param>
    /// <returns>At least one id, all of the model's vocabulary.</returns>
    /// <exception cref="GranaryException">It is empty, too long, has ids that the model does not know, or text for a model without a tokenizer.</exception>
    public static async Task<int[]> ReadAsync(string what, TokenInput input, ServedModel model, IModelWorkerGrain worker)
    {
        if (input.TokenIds is { } ids)
        {
            TokenLimits.CheckIds(what, ids, model);
            return ids;
        }

        if (string.IsNullOrEmpty(input.Text))
        {
            throw new GranaryException(ErrorCodes.EmptyInput, $"The {what} is empty.", "Give text or token ids.");
        }

        if (input.Text.Length > MostCharacters)
        {
            throw new GranaryException(
                ErrorCodes.RequestTooLarge, $"The {what} has {input.Text.Length} characters, one request carries {MostCharacters}.", "Give less text.");
        }

        var read = await worker.TokenizeAsync(input.Text);
        TokenLimits.CheckIds(what, read, model);
        return read;
    }
}
