using System.Buffers.Binary;
using System.Text.Json;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;

namespace Granary.Inference.Safetensors;

/// <summary>Writes safetensors files: the whole file or none.</summary>
/// <remarks>Format: https://github.com/huggingface/safetensors, "Format". The header is padded with spaces until the data begins on a cache line, so that tensors can be used where a file is mapped.</remarks>
public static class SafetensorsWriter
{
    private const int CacheLine = 64;

    /// <summary>Writes a file beside its place and renames it there, over a file that may be there already.</summary>
    /// <param name="path">The file.</param>
    /// <param name="entries">The tensors, in the order of their bytes. Entries of larger elements first keep every tensor aligned.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>; <see langword="null"/> for none.</param>
    /// <exception cref="InferenceException"><c>InvalidArgument</c>: two entries have one name, a shape is negative or too large, the header is over 100 MB, or an entry wrote other than its shape's bytes.</exception>
    /// <exception cref="IOException">The file could not be written; nothing is left behind.</exception>
    public static void Write(string path, IReadOnlyList<SafetensorsEntry> entries, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(entries);
        var lengths = entries.Select(Length).ToArray();
        var header = Header(entries, lengths, metadata);
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
                BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
                stream.Write(prefix);
                stream.Write(header);
                for (var index = 0; index < entries.Count; index++)
                {
                    WriteTensor(stream, entries[index], lengths[index]);
                }

                stream.Flush(flushToDisk: true); // or a crash after the rename could leave an empty file under the name
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static void WriteTensor(FileStream stream, SafetensorsEntry entry, long length)
    {
        var start = stream.Position;
        entry.Write(stream);
        if (stream.Position - start != length)
        {
            throw Invalid($"Tensor '{entry.Name}' wrote {stream.Position - start} bytes, its shape has {length}.");
        }
    }

    private static long Length(SafetensorsEntry entry) =>
        entry.Shape.All(dimension => dimension >= 0) && SafetensorsHeader.Size(entry.Shape, entry.Dtype) is { } bytes
            ? bytes
            : throw Invalid($"Tensor '{entry.Name}' has the shape [{string.Join(", ", entry.Shape)}], which no file can hold.");

    private static byte[] Header(IReadOnlyList<SafetensorsEntry> entries, long[] lengths, IReadOnlyDictionary<string, string>? metadata)
    {
        if (entries.GroupBy(entry => entry.Name).FirstOrDefault(group => group.Count() > 1 || group.Key == SafetensorsHeader.MetadataKey) is { } clash)
        {
            throw Invalid($"The tensor name '{clash.Key}' is given twice, or is the metadata's.");
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject(SafetensorsHeader.MetadataKey);
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            var offset = 0L;
            for (var index = 0; index < entries.Count; index++)
            {
                WriteClaim(json, entries[index], offset, checked(offset + lengths[index]));
                offset += lengths[index];
            }

            json.WriteEndObject();
        }

        while ((SafetensorsHeader.PrefixBytes + buffer.Length) % CacheLine != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.Length <= SafetensorsHeader.MaxBytes ? buffer.ToArray() : throw Invalid($"The header has {buffer.Length} bytes, the limit is {SafetensorsHeader.MaxBytes}.");
    }

    private static void WriteClaim(Utf8JsonWriter json, SafetensorsEntry entry, long begin, long end)
    {
        json.WriteStartObject(entry.Name);
        json.WriteString("dtype", entry.Dtype.Name());
        json.WriteStartArray("shape");
        foreach (var dimension in entry.Shape)
        {
            json.WriteNumberValue(dimension);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(begin);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static InferenceException Invalid(string message) => new(ErrorCode.InvalidArgument, message, "Give each tensor one name, a shape, and as many bytes as the shape has.");
}
