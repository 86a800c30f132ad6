using System.Text;
using Granary.Datasets;

namespace Granary.Client.Datasets;

/// <summary>How much text an item carries.</summary>
internal static class ItemSize
{
    /// <summary>Gets the text of the item's context.</summary>
    /// <param name="item">The item.</param>
    /// <returns>UTF-8 bytes.</returns>
    public static long OfContext(DatasetItem item) => Bytes(item.Context);

    /// <summary>Gets the item's text.</summary>
    /// <param name="item">The item.</param>
    /// <returns>UTF-8 bytes of all its strings.</returns>
    public static long Of(DatasetItem item) =>
        Bytes(item.Id) + Bytes(item.Context)
        + item.Questions.Sum(question => Bytes(question.Id) + Bytes(question.Question) + question.Answers.Sum(Bytes));

    private static long Bytes(string text) => Encoding.UTF8.GetByteCount(text);
}
