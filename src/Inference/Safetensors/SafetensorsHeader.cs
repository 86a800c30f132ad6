using System.Buffers.Binary;
using System.Text.Json;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;

namespace Granary.Inference.Safetensors;

/// <summary>What a header claims about one tensor; offsets count from the end of the header.</summary>
internal readonly record struct SafetensorsClaim(string Name, SafetensorsDtype Dtype, long[] Shape, long Begin, long End);

/// <summary>A header, read and checked: what it claims about its tensors is true of the file.</summary>
internal sealed record SafetensorsHeader(long DataStart, IReadOnlyList<SafetensorsClaim> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Bytes of the header's length, a little-endian 64-bit integer.</summary>
    public const int PrefixBytes = 8;

    /// <summary>Bytes that a header may have, as in the reference implementation.</summary>
    public const long MaxBytes = 100_000_000;

    public const string MetadataKey = "__metadata__";

    public static unsafe SafetensorsHeader Read(string path, byte* file, long fileBytes)
    {
        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(file, PrefixBytes));
        if (headerBytes > MaxBytes)
        {
            throw Invalid(path, $"its header claims {headerBytes} bytes, the limit is {MaxBytes}");
        }

        if ((long)headerBytes > fileBytes - PrefixBytes)
        {
            throw Invalid(path, $"its header claims {headerBytes} bytes, after the length only {fileBytes - PrefixBytes} are left: the file is cut short");
        }

        var json = new ReadOnlySpan<byte>(file + PrefixBytes, (int)headerBytes).ToArray();
        var dataStart = PrefixBytes + (long)headerBytes;
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Parse(path, document.RootElement, dataStart, fileBytes - dataStart);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter for strings that are not Unicode
        {
            throw Invalid(path, $"its header is not JSON ({e.Message})", e);
        }
    }

    public static InferenceException Invalid(string path, string fault, Exception? cause = null) =>
        new(ErrorCode.CheckpointInvalid, $"'{path}' is not a valid safetensors file: {fault}.", "Download or convert the file again.", cause);

    private static SafetensorsHeader Parse(string path, JsonElement root, long dataStart, long dataBytes)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(path, $"its header is a JSON {root.ValueKind}, not an object");
        }

        var tensors = new List<SafetensorsClaim>();
        var metadata = new Dictionary<string, string>();
        foreach (var property in root.EnumerateObject())
        {
            if (property.Name == MetadataKey)
            {
                ReadMetadata(path, property.Value, metadata);
            }
            else
            {
                tensors.Add(ReadTensor(path, property.Name, property.Value, dataBytes));
            }
        }

        CheckLayout(path, tensors, dataBytes);
        return new SafetensorsHeader(dataStart, tensors, metadata);
    }

    private static void ReadMetadata(string path, JsonElement element, Dictionary<string, string> metadata)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(path, $"its {MetadataKey} is a JSON {element.ValueKind}, not an object");
        }

        foreach (var property in element.EnumerateObject())
        {
            metadata[property.Name] = property.Value.ValueKind == JsonValueKind.String
                ? property.Value.GetString() ?? ""
                : throw Invalid(path, $"its {MetadataKey} '{property.Name}' is not a string");
        }
    }

    private static SafetensorsClaim ReadTensor(string path, string name, JsonElement element, long dataBytes)
    {
        if (element.ValueKind != JsonValueKind.Object
            || !element.TryGetProperty("dtype", out var dtypeName) || dtypeName.ValueKind != JsonValueKind.String
            || !element.TryGetProperty("shape", out var shapeList) || shapeList.ValueKind != JsonValueKind.Array
            || !element.TryGetProperty("data_offsets", out var offsetList) || offsetList.ValueKind != JsonValueKind.Array)
        {
            throw Invalid(path, $"tensor '{name}' lacks its dtype, shape or data_offsets");
        }

        if (!SafetensorsDtypes.TryParse(dtypeName.GetString() ?? "", out var dtype))
        {
            throw Invalid(path, $"tensor '{name}' has the unknown dtype '{dtypeName}'");
        }

        var shape = ReadIntegers(path, name, "shape", shapeList);
        var offsets = ReadIntegers(path, name, "data_offsets", offsetList);
        if (offsets.Length != 2 || offsets[0] > offsets[1] || offsets[1] > dataBytes)
        {
            throw Invalid(path, $"tensor '{name}' has data_offsets {offsetList}, outside of the {dataBytes} bytes of data or out of order: the file is cut short or its header lies");
        }

        if (Size(shape, dtype) is not { } bytes || bytes != offsets[1] - offsets[0])
        {
            throw Invalid(path, $"tensor '{name}' of dtype {dtype} and shape {shapeList} does not fill its {offsets[1] - offsets[0]} bytes");
        }

        return new SafetensorsClaim(name, dtype, shape, offsets[0], offsets[1]);
    }

    private static long[] ReadIntegers(string path, string name, string what, JsonElement list)
    {
        var numbers = new long[list.GetArrayLength()];
        var index = 0;
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out var number) || number < 0)
            {
                throw Invalid(path, $"tensor '{name}' has the {what} {list}, not integers >= 0");
            }

            numbers[index++] = number;
        }

        return numbers;
    }

    internal static long? Size(IReadOnlyList<long> shape, SafetensorsDtype dtype)
    {
        try
        {
            return shape.Aggregate((long)dtype.Bytes(), (bytes, dimension) => checked(bytes * dimension));
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    // The specification allows neither overlaps nor holes, nor bytes behind the last tensor: a file could otherwise hide anything in them.
    private static void CheckLayout(string path, List<SafetensorsClaim> tensors, long dataBytes)
    {
        var end = 0L;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Begin).ThenBy(tensor => tensor.End))
        {
            if (tensor.Begin != end)
            {
                throw Invalid(path, $"tensor '{tensor.Name}' begins at byte {tensor.Begin} of the data, the tensor before it ends at {end}");
            }

            end = tensor.End;
        }

        if (end != dataBytes)
        {
            throw Invalid(path, $"its tensors end at byte {end} of the data, the data at {dataBytes}");
        }
    }
}
