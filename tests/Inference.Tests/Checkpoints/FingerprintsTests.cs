using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Granary.Inference.Safetensors;

namespace Granary.Inference.Tests.Checkpoints;

public sealed class FingerprintsTests : IDisposable
{
    private const string Weights = "model.safetensors";

    private readonly ScratchFolder _scratch = ScratchFolder.CopyOf(Golden.Model("quarter-rotary"));
    private readonly ScratchFolder _cacheFolder = new();
    private readonly string _original = Compute(Golden.Model("quarter-rotary"));

    [Fact]
    public void Compute_AllGoldenModels_DifferAndArePinned()
    {
        var fingerprints = Directory.EnumerateDirectories(Path.Combine(Golden.Folder, "models")).Select(Compute).ToList();

        Assert.Equal(6, fingerprints.Distinct().Count());
        Assert.All(fingerprints, fingerprint => Assert.Matches("^[0-9a-f]{64}$", fingerprint));
        Assert.StartsWith("aff6c9e3756bde20f76318ae2495edd9", _original, StringComparison.Ordinal); // another value orphans every stored chunk: raise the version, and say so
    }

    [Theory]
    [InlineData("\"float16\"", "\"float32\"")]
    [InlineData("\"4.24.0\"", "\"5.0.0\"")]
    [InlineData("0.02", "0.03")]
    [InlineData("\"rotary_emb_base\": 10000", "\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"default\"}")]
    public void Compute_FieldThatNoForwardPassReads_ChangesNothing(string old, string now)
    {
        _scratch.Replace("config.json", old, now);
        Assert.Equal(_original, Compute(_scratch.Path));
    }

    [Theory]
    [InlineData("\"gelu\"", "\"gelu_new\"")]
    [InlineData("\"rotary_pct\": 0.25", "\"rotary_pct\": 0.5")]
    [InlineData("10000", "10001")]
    [InlineData("1e-05", "1e-06")]
    [InlineData("\"use_parallel_residual\": true", "\"use_parallel_residual\": false")]
    [InlineData("\"num_attention_heads\": 4", "\"num_attention_heads\": 2")]
    [InlineData("\"eos_token_id\": 0", "\"eos_token_id\": 1")]
    [InlineData("\"max_position_embeddings\": 2048", "\"max_position_embeddings\": 1024")]
    public void Compute_FieldThatAnswersDependOn_ChangesIt(string old, string now)
    {
        _scratch.Replace("config.json", old, now);
        Assert.NotEqual(_original, Compute(_scratch.Path));
    }

    [Fact]
    public void Compute_FileThatWasCutShortSinceItWasOpened_IsRefused()
    {
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        using (var file = new FileStream(_scratch.File(Weights), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(file.Length - 1);
        }

        var refused = Assert.Throws<InferenceException>(() => Fingerprints.Compute(checkpoint, cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal(ErrorCode.CheckpointInvalid, refused.Code);
        Assert.Contains("it ends at byte", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compute_OneBitOfAnyTensor_ChangesIt()
    {
        List<SafetensorsTensor> tensors;
        long dataStart;
        using (var file = SafetensorsFile.Open(_scratch.File(Weights)))
        {
            tensors = [.. file.Tensors.Values];
            dataStart = file.Length - tensors.Sum(tensor => tensor.Bytes);
        }

        var first = tensors.Min(tensor => tensor.Address);
        var bytes = File.ReadAllBytes(_scratch.File(Weights));
        foreach (var tensor in tensors)
        {
            var last = dataStart + (tensor.Address - first) + tensor.Bytes - 1;
            bytes[last] ^= 1;
            File.WriteAllBytes(_scratch.File(Weights), bytes);
            Assert.NotEqual(_original, Compute(_scratch.Path));
            bytes[last] ^= 1;
        }
    }

    [Fact]
    public void Compute_UnneededBuffersAndOtherOrder_ChangeNothing()
    {
        List<SafetensorsEntry> entries;
        using (var file = SafetensorsFile.Open(_scratch.File(Weights)))
        {
            entries = [.. file.Tensors.Values.Reverse().Select(tensor => SafetensorsEntry.FromMemory(tensor.Name, tensor.Dtype, tensor.Shape, tensor.AsSpan().ToArray()))];
        }

        entries.Insert(0, SafetensorsEntry.FromMemory("gpt_neox.layers.0.attention.masked_bias", SafetensorsDtype.F32, [], new byte[4]));
        SafetensorsWriter.Write(_scratch.File(Weights), entries);

        Assert.Equal(_original, Compute(_scratch.Path));
    }

    [Fact]
    public void Compute_Cancelled_Throws()
    {
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Assert.ThrowsAny<OperationCanceledException>(() => Fingerprints.Compute(checkpoint, null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Compute_Progress_EndsAtTheWeightsBytes()
    {
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        var progress = new Highest();
        Fingerprints.Compute(checkpoint, progress);
        Assert.Equal(checkpoint.WeightBytes, progress.Value);
    }

    [Fact]
    public void Get_UnchangedFiles_AsksTheCache()
    {
        var cache = new FingerprintCache(_cacheFolder.File("deep/cache"));
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Assert.Null(cache.Find(checkpoint));

        Assert.Equal(_original, Fingerprints.Get(checkpoint, cache));

        var progress = new Highest();
        Assert.Equal(_original, Fingerprints.Get(checkpoint, cache, progress));
        Assert.Equal(0, progress.Value); // nothing was hashed
        Assert.Equal(_original, cache.Find(checkpoint));
    }

    [Fact]
    public void Get_WeightsChangedInPlaceWithTheOldTime_ComputesAgain()
    {
        var cache = new FingerprintCache(_cacheFolder.Path);
        using (var checkpoint = Checkpoint.Open(_scratch.Path))
        {
            Fingerprints.Get(checkpoint, cache);
        }

        WaitForTheClock();
        var path = _scratch.File(Weights);
        var time = File.GetLastWriteTimeUtc(path);
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes); // same inode, same size
        File.SetLastWriteTimeUtc(path, time); // only the change time tells

        using var changed = Checkpoint.Open(_scratch.Path);
        Assert.NotEqual(_original, Fingerprints.Get(changed, cache));
    }

    [Fact]
    public void Find_WeightsChangedWhileOpen_KnowsNothing()
    {
        var cache = new FingerprintCache(_cacheFolder.Path);
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Fingerprints.Get(checkpoint, cache);

        WaitForTheClock();
        using (var file = new FileStream(_scratch.File(Weights), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Seek(-1, SeekOrigin.End);
            file.WriteByte(77);
        }

        Assert.Null(cache.Find(checkpoint));
    }

    [Fact]
    public void Get_CacheThatCannotBeWritten_StillComputes()
    {
        File.WriteAllText(_cacheFolder.File("file"), ""); // a folder cannot be made under a file
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Assert.Equal(_original, Fingerprints.Get(checkpoint, new FingerprintCache(_cacheFolder.File("file/cache"))));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("00000000000000000000000000000000000000000000000000000000000000zz")]
    public void Get_DamagedCacheEntry_ComputesAndRepairs(string content)
    {
        var cache = new FingerprintCache(_cacheFolder.Path);
        using var checkpoint = Checkpoint.Open(_scratch.Path);
        Fingerprints.Get(checkpoint, cache);
        var entry = Assert.Single(Directory.EnumerateFiles(_cacheFolder.Path));
        File.WriteAllText(entry, content);

        Assert.Equal(_original, Fingerprints.Get(checkpoint, cache));
        Assert.Equal(_original, File.ReadAllText(entry));
    }

    public void Dispose()
    {
        _scratch.Dispose();
        _cacheFolder.Dispose();
    }

    private static string Compute(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return Fingerprints.Compute(checkpoint);
    }

    // The kernel stamps files by a clock of some milliseconds: touch another file until its stamp is later than that of the weights.
    private void WaitForTheClock()
    {
        var before = ChangeTime(_scratch.File(Weights));
        for (var attempt = 0; attempt < 1_000_000; attempt++)
        {
            File.WriteAllText(_scratch.File("tick"), "");
            if (ChangeTime(_scratch.File("tick")) > before)
            {
                return;
            }
        }

        Assert.Fail("The file system's clock stands still.");
    }

    private static long ChangeTime(string path)
    {
        using var file = File.OpenHandle(path);
        return FileIdentity.Of(path, file).Changed;
    }

    private sealed class Highest : IProgress<long>
    {
        private long _value;

        public long Value => Interlocked.Read(ref _value);

        public void Report(long value)
        {
            for (var seen = Value; value > seen && Interlocked.CompareExchange(ref _value, value, seen) != seen; seen = Value)
            {
            }
        }
    }
}
