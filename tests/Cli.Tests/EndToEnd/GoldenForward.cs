using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Granary.Inference.Safetensors;

namespace Granary.Cli.Tests.EndToEnd;

/// <summary>The logits and KV of one forward pass: Hugging Face's, or those that the command wrote.</summary>
internal sealed record GoldenForward(int[] Tokens, double[] Logits, long[] LogitsShape, double[] Kv, long[] KvShape, double[] WrongLogits, int Split, int LeftPad)
{
    public static TheoryData<string> Names() => [.. Specs().Select(spec => (string?)spec["name"] ?? "")];

    public static TheoryData<string, int> Splits()
    {
        var data = new TheoryData<string, int>();
        foreach (var spec in Specs())
        {
            foreach (var split in spec["splits"]?.AsArray() ?? [])
            {
                data.Add((string?)spec["name"] ?? "", (int?)split ?? 0);
            }
        }

        return data;
    }

    public static GoldenForward Of(string name)
    {
        using var file = SafetensorsFile.Open(Workplace.Golden($"forward/{name}.safetensors"));
        return new GoldenForward(
            [.. MemoryMarshal.Cast<byte, long>(file.Tensors["tokens"].AsSpan()).ToArray().Select(id => (int)id)],
            Numbers(file.Tensors["logits"]),
            file.Tensors["logits"].Shape,
            Numbers(file.Tensors["kv"]),
            file.Tensors["kv"].Shape,
            Numbers(file.Tensors["left_pad_wrong_logits"]),
            int.Parse(file.Metadata["split"], CultureInfo.InvariantCulture),
            int.Parse(file.Metadata["left_pad"], CultureInfo.InvariantCulture));
    }

    public static GoldenForward Read(string path)
    {
        using var file = SafetensorsFile.Open(path);
        var (logits, kv) = (file.Tensors["logits"], file.Tensors["kv"]);
        return new GoldenForward([], Numbers(logits), logits.Shape, Numbers(kv), kv.Shape, [], 0, 0);
    }

    /// <summary>Gets the largest difference; NaN where one is.</summary>
    public static double Difference(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        Assert.Equal(left.Length, right.Length);
        var largest = 0.0;
        for (var index = 0; index < left.Length; index++)
        {
            var difference = Math.Abs(left[index] - right[index]);
            largest = difference <= largest ? largest : difference;
        }

        return largest;
    }

    private static double[] Numbers(SafetensorsTensor tensor) => tensor.Dtype == SafetensorsDtype.F64
        ? MemoryMarshal.Cast<byte, double>(tensor.AsSpan()).ToArray()
        : [.. MemoryMarshal.Cast<byte, float>(tensor.AsSpan()).ToArray().Select(value => (double)value)];

    private static JsonNode[] Specs() => [.. (JsonNode.Parse(File.ReadAllText(Workplace.Golden("specs.json")))?.AsArray() ?? []).OfType<JsonNode>()];
}
