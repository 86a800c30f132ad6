using Granary.Client.Calls;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Client.Datasets;

/// <summary>A data set's items, read from a file and checked.</summary>
/// <remarks>
/// Read are JSON Lines, <c>{"id", "context", "questions": [{"id", "question", "answers": [...]}]}</c>, where questions and answers may be
/// left out, and SQuAD's JSON, whose paragraphs become items <c>{title}-{n}</c>, n counting from 1 within a title.
/// </remarks>
public sealed class DatasetSource
{
    private DatasetSource(IReadOnlyList<DatasetItem> items, IReadOnlyList<DatasetFailure> failures)
    {
        Items = items;
        Failures = failures;
        Digest = ItemDigest.Of(items);
    }

    /// <summary>Gets the readable items, in the file's order; at least one.</summary>
    public IReadOnlyList<DatasetItem> Items { get; }

    /// <summary>Gets the unreadable ones, each with its line's number.</summary>
    public IReadOnlyList<DatasetFailure> Failures { get; }

    /// <summary>Gets the name of this content.</summary>
    /// <value>SHA-256 over the readable items, hexadecimal.</value>
    public string Digest { get; }

    /// <summary>Gets the number of shards.</summary>
    public int Shards => (Items.Count + DatasetId.ShardItems - 1) / DatasetId.ShardItems;

    /// <summary>Reads a file.</summary>
    /// <param name="path">A JSON Lines or SQuAD JSON file.</param>
    /// <returns>Its items. Lines that cannot be read are in <see cref="Failures"/>, the others go on.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.FileNotFound"/>: give an existing file. <see cref="ErrorCodes.EmptyInput"/>: it has no lines.
    /// <see cref="ErrorCodes.DatasetInvalid"/>: it cannot be read, or none of its lines can; the message names the first.
    /// </exception>
    public static DatasetSource Read(string path) => Parse(ReadBytes(path), path);

    /// <summary>Makes a data set of items that are at hand.</summary>
    /// <param name="items">The items.</param>
    /// <returns>The data set; an empty context or a repeated id is a failure.</returns>
    /// <exception cref="GranaryException">As of <see cref="Read"/>.</exception>
    public static DatasetSource Of(IEnumerable<DatasetItem> items) =>
        Check(items.Select((item, index) => new ReadItem($"item {index + 1}", item, null)), "The given data set");

    internal static DatasetSource Parse(byte[] content, string name)
    {
        var bytes = content.AsMemory(content.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0);
        return Check(SquadReader.TryRead(bytes) ?? JsonLinesReader.Read(bytes), $"'{name}'");
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException || (e is UnauthorizedAccessException && Directory.Exists(path)))
        {
            throw new GranaryException(ErrorCodes.FileNotFound, $"There is no file '{path}'.", "Give the path of a data set's file.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GranaryException(ErrorCodes.DatasetInvalid, $"'{path}' cannot be read: {e.Message}", "Check the file and its permissions.", e);
        }
    }

    private static DatasetSource Check(IEnumerable<ReadItem> read, string name)
    {
        var items = new List<DatasetItem>();
        var failures = new List<DatasetFailure>();
        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (place, item, fault) in read)
        {
            if (item is null)
            {
                failures.Add(new DatasetFailure(place, ErrorCodes.DatasetInvalid, $"{place}: {fault}"));
            }
            else if (item.Context.Length == 0)
            {
                failures.Add(new DatasetFailure(item.Id, ErrorCodes.EmptyInput, $"{place}: the context of '{item.Id}' is empty."));
            }
            else if (ItemSize.Of(item) is var bytes && bytes > RequestSize.LimitBytes)
            {
                failures.Add(new DatasetFailure(
                    item.Id,
                    ErrorCodes.RequestTooLarge,
                    $"{place}: '{item.Id}' has {bytes:N0} bytes of text, the limit is {RequestSize.LimitBytes:N0}."));
            }
            else if (!places.TryAdd(item.Id, place))
            {
                failures.Add(new DatasetFailure(item.Id, ErrorCodes.DatasetInvalid, $"{place}: the id '{item.Id}' is that of {places[item.Id]}."));
            }
            else
            {
                items.Add(item);
            }
        }

        return (items.Count, failures.Count) switch
        {
            (0, 0) => throw new GranaryException(ErrorCodes.EmptyInput, $"{name} is empty.", "Give a file with at least one item."),
            (0, _) => throw new GranaryException(
                ErrorCodes.DatasetInvalid,
                $"None of the {failures.Count} items of {name} can be read; {failures[0].Message}",
                "Give JSON Lines, {\"id\", \"context\", \"questions\"} a line, or SQuAD's JSON."),
            _ => new DatasetSource(items, failures),
        };
    }
}
