using System.Runtime.InteropServices;
using System.Text.Json;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;
using Granary.Inference.Tests.Engine;

namespace Granary.Inference.Tests.Models;

/// <summary>What Hugging Face computed in float64 for one model.</summary>
internal sealed class GoldenForward
{
    public GoldenForward(string name)
    {
        using var file = SafetensorsFile.Open(EngineFixture.Golden($"forward/{name}.safetensors"));
        Tokens = [.. MemoryMarshal.Cast<byte, long>(file.Tensors["tokens"].AsSpan()).ToArray().Select(id => (int)id)];
        Logits = Doubles(file.Tensors["logits"]);
        Kv = Doubles(file.Tensors["kv"]);
        KvShape = file.Tensors["kv"].Shape;
        WrongLogits = Doubles(file.Tensors["left_pad_wrong_logits"]);
        Split = int.Parse(file.Metadata["split"], System.Globalization.CultureInfo.InvariantCulture);
        LeftPad = int.Parse(file.Metadata["left_pad"], System.Globalization.CultureInfo.InvariantCulture);
    }

    public int[] Tokens { get; }

    public double[] Logits { get; }

    public double[] Kv { get; }

    public long[] KvShape { get; }

    public double[] WrongLogits { get; }

    public int Split { get; }

    public int LeftPad { get; }

    public static TheoryData<string, int> Splits()
    {
        var data = new TheoryData<string, int>();
        using var specs = JsonDocument.Parse(File.ReadAllText(EngineFixture.Golden("specs.json")));
        foreach (var spec in specs.RootElement.EnumerateArray())
        {
            foreach (var split in spec.GetProperty("splits").EnumerateArray())
            {
                data.Add(spec.GetProperty("name").GetString() ?? string.Empty, split.GetInt32());
            }
        }

        return data;
    }

    public static TheoryData<string> Names() => ["quarter-rotary", "head-80", "full-rotary-tanh", "serial", "sharded-half", "tied-new-config"];

    public static double[] Doubles(byte[] elements, KvDtype dtype) => dtype switch
    {
        KvDtype.Float64 => MemoryMarshal.Cast<byte, double>(elements).ToArray(),
        _ => [.. MemoryMarshal.Cast<byte, float>(elements).ToArray().Select(value => (double)value)],
    };

    public static double Difference(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        Assert.Equal(left.Length, right.Length);
        var largest = 0.0;
        for (var index = 0; index < left.Length; index++)
        {
            var difference = Math.Abs(left[index] - right[index]);
            largest = difference <= largest ? largest : difference; // NaN stays
        }

        return largest;
    }

    private static double[] Doubles(SafetensorsTensor tensor) => MemoryMarshal.Cast<byte, double>(tensor.AsSpan()).ToArray();
}
