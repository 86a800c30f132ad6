using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Granary.Storage.Objects;

/// <summary>The versions of a folder's objects: for each key a small file under <c>.etags</c>, <c>{generation}-{nonce}</c>, written under the key's lock.</summary>
/// <remarks>
/// It is raised and synced before the data's rename. A crash in between leaves old data under a new version: a writer that read the old version is
/// refused, and nothing is overwritten (invariant 4). The nonce keeps a key that was deleted and made anew from ever having an old version again.
/// </remarks>
internal sealed class FolderGenerations(string root)
{
    private const int GenerationDigits = 20;
    private const int RecordLength = GenerationDigits + 1 + 16;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string _folder = Path.Combine(root, ".etags");

    /// <summary>Gets the version of an object that exists.</summary>
    /// <param name="key">Its key, locked by the caller.</param>
    /// <param name="data">Its data file.</param>
    public ObjectVersion Get(string key, FileInfo data)
    {
        var record = Find(key);
        // Data without a record was copied in by hand, or its record was lost with the power: a version that no writer holds yet.
        return new(record ?? string.Create(CultureInfo.InvariantCulture, $"0-{data.LastWriteTimeUtc.Ticks:x}-{data.Length:x}"));
    }

    /// <summary>Gives a key its next version, durably.</summary>
    public ObjectVersion Raise(string key)
    {
        var generation = Find(key) is { } record ? long.Parse(record.AsSpan(0, GenerationDigits), CultureInfo.InvariantCulture) : 0;
        var nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var next = string.Create(CultureInfo.InvariantCulture, $"{generation + 1:D20}-{nonce}");

        var path = PathOf(key);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        // In place: the record is shorter than a sector, so that it is old or new after a crash; and a torn one would only refuse.
        using var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(next), 0);
        RandomAccess.FlushToDisk(file);
        return new(next);
    }

    /// <summary>Forgets a key whose data is gone.</summary>
    public void Remove(string key)
    {
        try
        {
            File.Delete(PathOf(key));
        }
        catch (DirectoryNotFoundException)
        {
            // never had one
        }
    }

    private string? Find(string key)
    {
        Span<byte> record = stackalloc byte[RecordLength + 1];
        try
        {
            using var file = File.OpenHandle(PathOf(key), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var length = RandomAccess.Read(file, record, 0);
            var text = length == RecordLength ? Encoding.ASCII.GetString(record[..length]) : "";
            return IsRecord(text) ? text : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static bool IsRecord(string text) =>
        text.Length == RecordLength
        && text[GenerationDigits] == '-'
        && long.TryParse(text.AsSpan(0, GenerationDigits), NumberStyles.None, CultureInfo.InvariantCulture, out var generation)
        && generation < long.MaxValue
        && text.AsSpan(GenerationDigits + 1).IndexOfAnyExcept(HexDigits) < 0;

    private string PathOf(string key) => Path.Combine(_folder, key);
}
