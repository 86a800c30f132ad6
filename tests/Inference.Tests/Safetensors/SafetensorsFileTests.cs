using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using CsCheck;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;
using Granary.Inference.Tests.Checkpoints;

namespace Granary.Inference.Tests.Safetensors;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private string TargetFile => _scratch.File("t.safetensors");

    [Fact]
    public void Open_WhatTheWriterWrote_ReadsTheSame()
    {
        float[] numbers = [1, -2.5f, float.Pi, 0, 5, 6];
        var native = Marshal.AllocHGlobal(3);
        Marshal.Copy(new byte[] { 1, 0, 1 }, 0, native, 3);
        try
        {
            SafetensorsWriter.Write(
                TargetFile,
                [
                    SafetensorsEntry.FromMemory("a", SafetensorsDtype.F32, [2, 3], MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray()),
                    SafetensorsEntry.FromAddress("ünï", SafetensorsDtype.BOOL, [3], native, 3),
                    SafetensorsEntry.FromMemory("scalar", SafetensorsDtype.I64, [], new byte[8]),
                    SafetensorsEntry.FromMemory("empty", SafetensorsDtype.F8E5M2, [0, 7], default),
                ],
                new Dictionary<string, string> { ["format"] = "pt", ["quote"] = "\"" });
        }
        finally
        {
            Marshal.FreeHGlobal(native);
        }

        using var file = SafetensorsFile.Open(TargetFile);
        Assert.Equal(4, file.Tensors.Count);
        Assert.Equal(numbers, MemoryMarshal.Cast<byte, float>(file.Tensors["a"].AsSpan()).ToArray());
        Assert.Equal([2, 3], file.Tensors["a"].Shape);
        Assert.Equal(0, file.Tensors["a"].Address % 64);
        Assert.Equal([1, 0, 1], file.Tensors["ünï"].AsSpan().ToArray());
        Assert.Equal((SafetensorsDtype.I64, 1L), (file.Tensors["scalar"].Dtype, file.Tensors["scalar"].Elements));
        Assert.Equal((SafetensorsDtype.F8E5M2, 0L), (file.Tensors["empty"].Dtype, file.Tensors["empty"].Bytes));
        Assert.Equal("\"", file.Metadata["quote"]);
        Assert.Equal(["t.safetensors"], Directory.EnumerateFiles(_scratch.Path).Select(Path.GetFileName)); // no temporary file
    }

    [Theory]
    [InlineData("", 0, "not JSON")]
    [InlineData("[]", 0, "not an object")]
    [InlineData("{", 0, "not JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "not JSON")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "'a' is not a string")]
    [InlineData("""{"a":3}""", 0, "'a' lacks")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "'a' lacks")]
    [InlineData("""{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype 'Q4'")]
    [InlineData("""{"a":{"dtype":"3","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype '3'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "not integers >= 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "not integers >= 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}""", 4, "does not fill")] // 4 times it wraps to 4
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}""", 4, "not integers >= 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "does not fill its 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "out of order")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 3, "cut short")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4, "outside")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "'b' begins at byte 2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "'b' begins at byte 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "tensors end at byte 4")]
    public void Open_LyingHeader_NamesTheFileAndTheFault(string header, int dataBytes, string fault)
    {
        var json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(TargetFile, [.. Length(json.Length), .. json, .. new byte[dataBytes]]);

        AssertInvalid(fault);
    }

    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(7, "7 bytes")]
    public void Open_FewerBytesThanTheLength_IsInvalid(int bytes, string fault)
    {
        File.WriteAllBytes(TargetFile, new byte[bytes]);

        AssertInvalid(fault);
    }

    [Theory]
    [InlineData(100, "cut short")]
    [InlineData(100_000_001, "the limit is 100000000")]
    [InlineData(-1, "the limit is 100000000")]
    public void Open_HeaderLengthBeyondTheFile_IsInvalid(long length, string fault)
    {
        File.WriteAllBytes(TargetFile, [.. Length(length), .. new byte[50]]);

        AssertInvalid(fault);
    }

    [Fact]
    public void Open_EveryTruncationOfAFile_IsInvalid()
    {
        SafetensorsWriter.Write(TargetFile, [SafetensorsEntry.FromMemory("a", SafetensorsDtype.I16, [3], new byte[6])]);
        var whole = File.ReadAllBytes(TargetFile);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(TargetFile, whole[..length]);
            AssertInvalid("");
        }
    }

    [Fact]
    public void Open_AnyDamagedByteOfTheHeader_IsReadOrRefusedNeverACrash()
    {
        SafetensorsWriter.Write(TargetFile, [SafetensorsEntry.FromMemory("a", SafetensorsDtype.I16, [3, 5], new byte[30]), SafetensorsEntry.FromMemory("b", SafetensorsDtype.U8, [2], new byte[2])]);
        var whole = File.ReadAllBytes(TargetFile);
        var damaged = _scratch.File("damaged.safetensors");
        Gen.Select(Gen.Int[0, whole.Length - 33], Gen.Byte).Sample(
            damage =>
            {
                var bytes = (byte[])whole.Clone();
                bytes[damage.Item1] = damage.Item2;
                File.WriteAllBytes(damaged, bytes);
                try
                {
                    using var file = SafetensorsFile.Open(damaged);
                    foreach (var tensor in file.Tensors.Values)
                    {
                        Assert.Equal(0, tensor.AsSpan().ToArray().Sum(value => value)); // every claimed byte can be read
                    }
                }
                catch (InferenceException e)
                {
                    Assert.Equal("CheckpointInvalid", e.Code);
                }
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void Open_NoSuchFile_IsInvalid() => AssertInvalid("cannot be read");

    [Fact]
    public void Dispose_Twice_IsHarmless()
    {
        SafetensorsWriter.Write(TargetFile, []);
        var file = SafetensorsFile.Open(TargetFile);
        file.Dispose();
        file.Dispose();
    }

    [Fact]
    public void Write_FewerBytesThanTheShape_ThrowsAndKeepsTheOldFile()
    {
        File.WriteAllText(TargetFile, "old");

        var error = Assert.Throws<InferenceException>(() => SafetensorsWriter.Write(TargetFile, [SafetensorsEntry.FromMemory("a", SafetensorsDtype.F64, [2], new byte[15])]));

        Assert.Contains("'a' wrote 15 bytes, its shape has 16", error.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(TargetFile));
        Assert.Single(Directory.EnumerateFiles(_scratch.Path));
    }

    [Fact]
    public void Write_OneNameTwice_Throws() =>
        Assert.Contains("'a'", Assert.Throws<InferenceException>(() => SafetensorsWriter.Write(TargetFile, [Entry("a"), Entry("a")])).Message, StringComparison.Ordinal);

    public void Dispose() => _scratch.Dispose();

    private static SafetensorsEntry Entry(string name) => SafetensorsEntry.FromMemory(name, SafetensorsDtype.U8, [1], new byte[1]);

    private static byte[] Length(long length)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        return bytes;
    }

    private void AssertInvalid(string fault)
    {
        var error = Assert.Throws<InferenceException>(() => SafetensorsFile.Open(TargetFile).Dispose());
        Assert.Equal("CheckpointInvalid", error.Code);
        Assert.Contains(TargetFile, error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }
}
