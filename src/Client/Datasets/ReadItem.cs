using System.Text.Json;
using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>One item as a reader found it, or why it is none.</summary>
/// <param name="Place">Where: <c>line 3</c>.</param>
/// <param name="Item">The item; <see langword="null"/> where it cannot be read.</param>
/// <param name="Fault">Why it cannot be read.</param>
internal readonly record struct ReadItem(string Place, DatasetItem? Item, string? Fault)
{
    /// <summary>Reads an item, its faults caught.</summary>
    /// <param name="place">Where it stands.</param>
    /// <param name="read">Reads it.</param>
    /// <returns>The item or the fault.</returns>
    public static ReadItem Of(string place, Func<DatasetItem> read)
    {
        try
        {
            return new ReadItem(place, read(), null);
        }
        catch (JsonException e)
        {
            return new ReadItem(place, null, $"not JSON at byte {e.BytePositionInLine}.");
        }
        catch (FieldException e)
        {
            return new ReadItem(place, null, e.Message);
        }
    }
}

/// <summary>A field that is missing or of another kind.</summary>
internal sealed class FieldException(string message) : Exception(message);
