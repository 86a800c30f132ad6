using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Kernels;
using Granary.Inference.Models;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;
using Granary.Inference.Shapes;
using Granary.Inference.Tensors;
using Granary.Inference.Tests.Checkpoints;
using Granary.Inference.Tests.HistoryIndependence;
using static TorchSharp.torch;

namespace Granary.Inference.Tests.Models;

/// <summary>Weights are used where they are mapped or copied once; where they lie changes no bit.</summary>
public sealed class WeightLoaderTests : IDisposable
{
    private const string WeightsFile = "model.safetensors";
    private const int Rows = 40; // more than run together: a long step in panels

    private readonly ScratchFolder _scratch = new();
    private readonly KernelTeam _team = new(2);

    private string Folder => _scratch.File("model");

    private string Weights => Path.Combine(Folder, WeightsFile);

    public WeightLoaderTests() => RandomCheckpoint.Create(HistoryModels.Shape(heads: 4, headDim: 16, vocabulary: 251), seed: 3, Folder);

    public void Dispose()
    {
        _team.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public void Get_FileOfOurWriterInItsDtype_IsTheMappedAddressOfEveryTensor()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        using var scope = NewDisposeScope();
        var weights = new WeightLoader(checkpoint, KvDtype.Float32);

        Assert.All(checkpoint.TensorNames, name => Assert.Equal(checkpoint.Get(name).Address, NativeTensor.AddressOf(weights.Get(name))));

        Assert.Equal((checkpoint.WeightBytes, checkpoint.WeightBytes), (weights.Bytes, weights.MappedBytes));
        Assert.Null(weights.Copies);
    }

    [Theory]
    [InlineData(SafetensorsDtype.F32, KvDtype.BFloat16)]
    [InlineData(SafetensorsDtype.F32, KvDtype.Float64)]
    [InlineData(SafetensorsDtype.F16, KvDtype.Float32)]
    [InlineData(SafetensorsDtype.F16, KvDtype.BFloat16)]
    [InlineData(SafetensorsDtype.F16, KvDtype.Float64)]
    [InlineData(SafetensorsDtype.BF16, KvDtype.Float32)]
    [InlineData(SafetensorsDtype.BF16, KvDtype.Float64)]
    [InlineData(SafetensorsDtype.F64, KvDtype.Float32)]
    [InlineData(SafetensorsDtype.F64, KvDtype.BFloat16)]
    public void Get_AnotherDtype_IsWhatLibtorchConverts_OnACacheLine(SafetensorsDtype from, KvDtype dtype)
    {
        StoreAnyBits(from);
        using var checkpoint = Checkpoint.Open(Folder);
        using var scope = NewDisposeScope();
        var weights = new WeightLoader(checkpoint, dtype);
        using var copies = weights.Copies;

        Assert.All(checkpoint.TensorNames, name =>
        {
            var (stored, converted) = (checkpoint.Get(name), weights.Get(name));
            var libtorchs = from switch { SafetensorsDtype.F16 => ScalarType.Float16, SafetensorsDtype.BF16 => ScalarType.BFloat16, SafetensorsDtype.F64 => ScalarType.Float64, _ => ScalarType.Float32 };
            using var expected = NativeTensor.Wrap(stored.Address, libtorchs, stored.Shape).to(dtype.ToScalarType());
            Assert.Equal(Numbers(expected), Numbers(converted));
            Assert.Equal(0, NativeTensor.AddressOf(converted) % 64);
        });

        Assert.Equal((checkpoint.Parameters * dtype.Bytes(), 0), (weights.Bytes, weights.MappedBytes));
        Assert.InRange(copies!.Bytes, weights.Bytes, weights.Bytes + (64 * checkpoint.TensorNames.Count));
    }

    [Fact]
    public void Load_FileThatWasCutShortSinceItWasOpened_IsRefused_AndLeavesNothing()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        var before = (Tensor.TotalCount, NativeRows.LiveBytes);
        using (var file = new FileStream(Weights, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(file.Length - 1);
        }

        var refused = Assert.Throws<InferenceException>(() => ModelFamilies.Load(checkpoint, KvDtype.BFloat16, _team, KernelSet.Best));

        Assert.Equal(ErrorCode.CheckpointInvalid, refused.Code);
        Assert.Equal(before, (Tensor.TotalCount, NativeRows.LiveBytes));
    }

    // Hugging Face's writer aligns data with 8 bytes, others with nothing.
    [Theory]
    [InlineData(SafetensorsDtype.F32, KvDtype.Float32, 8, true)]
    [InlineData(SafetensorsDtype.F32, KvDtype.Float32, 4, true)]
    [InlineData(SafetensorsDtype.F32, KvDtype.Float32, 2, false)]
    [InlineData(SafetensorsDtype.BF16, KvDtype.BFloat16, 8, true)]
    [InlineData(SafetensorsDtype.BF16, KvDtype.BFloat16, 2, true)]
    [InlineData(SafetensorsDtype.BF16, KvDtype.BFloat16, 1, false)]
    [InlineData(SafetensorsDtype.F64, KvDtype.Float64, 64, true)]
    [InlineData(SafetensorsDtype.F64, KvDtype.Float64, 8, false)] // runs in libtorch
    [InlineData(SafetensorsDtype.F32, KvDtype.BFloat16, 8, false)]
    public void Load_FileOffACacheLine_CountsWhatIsMappedAndHasTheSameBits(SafetensorsDtype stored, KvDtype dtype, int offset, bool isMapped)
    {
        Store(stored);
        var (expected, bytes, _) = Run(dtype);
        MoveData(offset);

        var (bits, bytesOfMoved, mapped) = Run(dtype);

        Assert.Equal(expected, bits);
        Assert.Equal((bytes, isMapped ? bytes : 0), (bytesOfMoved, mapped));
    }

    // The KV and the logits of a long step, and of a short one over it.
    private (byte[] Bits, long Bytes, long MappedBytes) Run(KvDtype dtype)
    {
        using var checkpoint = Checkpoint.Open(Folder);
        using var mode = inference_mode();
        using var model = ModelFamilies.Load(checkpoint, dtype, _team, KernelSet.Best);
        Assert.Equal(checkpoint.Parameters * dtype.Bytes(), model.WeightBytes);
        var cache = new KvMemory(KvLayout.Of(model.Config, dtype), Rows + 2, reservation: null);
        try
        {
            cache.GetSpan().Clear();
            byte[] first = Logits(model, Step(cache, 0, Rows));
            byte[] second = Logits(model, Step(cache, Rows, 2));
            return ([.. first, .. second, .. cache.GetSpan()], model.WeightBytes, model.MappedWeightBytes);
        }
        finally
        {
            cache.Release();
        }
    }

    private static ModelStep Step(KvMemory cache, int position, int rows) => new()
    {
        TokenIds = Enumerable.Range(position, rows).Select(index => index * 31 % 251).ToArray(),
        Position = position,
        Past = [new KvRun(cache, position)],
        Target = cache,
        TargetOffset = position,
        Logits = LogitRows.All,
    };

    private static byte[] Logits(ICausalModel model, ModelStep step)
    {
        if (model.Rows is { } rows)
        {
            var logits = rows.Run([step]);
            return [.. Enumerable.Range(0, logits.Rows).SelectMany(row => MemoryMarshal.AsBytes(logits[row]).ToArray())];
        }

        using var all = model.Run(step) ?? throw new InvalidOperationException("The step has logits.");
        return NativeTensor.ToBytes(all);
    }

    // Of what is no number, only that it is none is compared: nothing is computed with it.
    private static byte[] Numbers(Tensor tensor)
    {
        using var numbers = tensor.masked_fill(tensor.isnan(), 1234);
        return NativeTensor.ToBytes(numbers);
    }

    // Infinities, subnormals and halves between two bfloat16 among them.
    private void StoreAnyBits(SafetensorsDtype dtype)
    {
        var random = new Random(5);
        List<SafetensorsEntry> entries;
        using (var checkpoint = Checkpoint.Open(Folder))
        {
            entries = checkpoint.TensorNames.Select(checkpoint.Get).Select(tensor =>
            {
                var bytes = new byte[tensor.Elements * dtype.Bytes()];
                random.NextBytes(bytes);
                return SafetensorsEntry.FromMemory(tensor.Name, dtype, tensor.Shape, bytes);
            }).ToList();
        }

        SafetensorsWriter.Write(Weights, entries);
    }

    // The same weights in another dtype; the data begins on a cache line.
    private void Store(SafetensorsDtype dtype)
    {
        using (var checkpoint = Checkpoint.Open(Folder))
        {
            var entries = checkpoint.TensorNames.Select(checkpoint.Get).Select(tensor =>
                SafetensorsEntry.FromMemory(tensor.Name, dtype, tensor.Shape, Convert(MemoryMarshal.Cast<byte, float>(tensor.AsSpan()), dtype))).ToList();
            SafetensorsWriter.Write(Weights, entries);
        }
    }

    private static byte[] Convert(ReadOnlySpan<float> values, SafetensorsDtype dtype)
    {
        var bytes = new byte[values.Length * dtype.Bytes()];
        for (var index = 0; index < values.Length; index++)
        {
            var target = bytes.AsSpan(index * dtype.Bytes());
            switch (dtype)
            {
                case SafetensorsDtype.F64:
                    BinaryPrimitives.WriteDoubleLittleEndian(target, values[index]);
                    break;
                case SafetensorsDtype.BF16:
                    BinaryPrimitives.WriteUInt16LittleEndian(target, (ushort)(BitConverter.SingleToUInt32Bits(values[index]) >> 16)); // rounded to zero: any weights will do
                    break;
                default:
                    BinaryPrimitives.WriteSingleLittleEndian(target, values[index]);
                    break;
            }
        }

        return bytes;
    }

    private void MoveData(int offset)
    {
        var file = File.ReadAllBytes(Weights);
        var header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        var prefix = new byte[SafetensorsHeader.PrefixBytes];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header + offset);
        var dataStart = prefix.Length + header;
        File.WriteAllBytes(Weights, [.. prefix, .. file[prefix.Length..dataStart], .. Enumerable.Repeat((byte)' ', offset), .. file[dataStart..]]);
    }
}
