using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Granary.Storage.Chunks;
using Granary.Storage.Objects;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Chunks;

public sealed class ChunkStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("granary-chunks-");
    private readonly InMemoryObjectStore _objects = new(new FakeTimeProvider());
    private readonly ChunkStore _chunks;

    public ChunkStoreTests() => _chunks = new ChunkStore(_objects);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    public static TheoryData<string, int, string> Shapes => new() { { "float32", 8, "F32" }, { "bfloat16", 3, "BF16" }, { "float64", 1, "F64" } };

    [Theory, MemberData(nameof(Shapes))]
    public async Task WriteAsync_PageIsNew_IsSafetensorsAndReadsBack(string dtype, int tokens, string safetensorsDtype)
    {
        var page = Pages.Of(tokens, shape: new ChunkShape(2, 3, 4, dtype))[0];
        var kv = Pages.Kv(page);

        var written = await _chunks.WriteAsync(page, kv, Stopping);

        var file = (await _objects.FindAsync(page.Key, Stopping))!.Content;
        Assert.Equal((file.Length, false), (written.Bytes, written.Existed));
        Assert.Equal(ChunkStore.StoredBytes(page), file.Length);
        AssertIsSafetensors(file, page, kv, written.Checksum, safetensorsDtype);
        var read = new byte[kv.Length];
        Assert.Null((await _chunks.ReadAsync(page, written.Checksum, read, Stopping)).Fault);
        Assert.Equal(kv, read);
        Assert.Null((await _chunks.ReadAsync(page, null, read, Stopping)).Fault);
        Assert.True(await _chunks.ExistsAsync(page, Stopping));
    }

    [Fact]
    public async Task ReadAsync_ChunkIsAbsent_SaysSo()
    {
        var page = Pages.Of(3)[0];

        Assert.Equal(new ChunkRead(ChunkFault.Absent, null), await _chunks.ReadAsync(page, null, new byte[page.KvBytes], Stopping));
        Assert.False(await _chunks.ExistsAsync(page, Stopping));
        Assert.False(await _chunks.TouchAsync(page, Stopping));
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadAsync_AnyByteIsFlipped_GivesAFault()
    {
        var page = Pages.Of(3)[0];
        await _chunks.WriteAsync(page, Pages.Kv(page), Stopping);
        var good = (await _objects.FindAsync(page.Key, Stopping))!.Content;
        var headerLength = good.Length - (int)page.DataBytes;
        var checksumAt = Encoding.ASCII.GetString(good).IndexOf("\"checksum\":\"", StringComparison.Ordinal) + 12;

        for (var i = 0; i < good.Length; i++)
        {
            byte[] bad = [.. good];
            bad[i] ^= 1;
            var version = await _objects.PutAsync(page.Key, new(bad), Precondition.None, Stopping);

            var read = await _chunks.ReadAsync(page, null, new byte[page.KvBytes], Stopping);

            // A flipped digit of the checksum may still be a digit.
            ChunkFault[] allowed = i >= checksumAt && i < checksumAt + 32 ? [ChunkFault.Checksum, ChunkFault.Header]
                : i < headerLength ? [ChunkFault.Header]
                : i < headerLength + page.KvBytes ? [ChunkFault.Checksum] : [ChunkFault.Tokens];
            Assert.True(read.Fault is { } fault && allowed.Contains(fault), $"byte {i}: {read.Fault}");
            Assert.Equal(version, read.Version);
        }
    }

    [Theory, InlineData(-1), InlineData(1), InlineData(-64), InlineData(4096), InlineData(int.MinValue)]
    [Trait("Invariant", "1")]
    public async Task ReadAsync_ChunkIsCutOrLonger_GivesLength(int change)
    {
        var page = Pages.Of(3)[0];
        await _chunks.WriteAsync(page, Pages.Kv(page), Stopping);
        var file = (await _objects.FindAsync(page.Key, Stopping))!.Content;
        Array.Resize(ref file, Math.Max(0, file.Length + change));
        await _objects.PutAsync(page.Key, new(file), Precondition.None, Stopping);

        Assert.Equal(ChunkFault.Length, (await _chunks.ReadAsync(page, null, new byte[page.KvBytes], Stopping)).Fault);
        Assert.False(await _chunks.ExistsAsync(page, Stopping));
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadAsync_ChunkOfAnotherIdentityLiesThere_GivesAFault()
    {
        var page = Pages.Of(16)[1];
        var others = new Dictionary<string, ChunkIdentity>
        {
            ["fingerprint"] = page with { Fingerprint = Pages.Fingerprint[..63] + "0" },
            ["numerics"] = page with { Numerics = Pages.Numerics + "0" },
            ["hash"] = page with { Hash = page.Parent },
            ["parent"] = page with { Parent = page.Hash },
            ["start"] = page with { Start = 9 },
            ["dtype"] = page with { Shape = new ChunkShape(2, 3, 2, "float64") },
            ["shape"] = page with { Shape = new ChunkShape(2, 4, 3, "float32") },
            ["layers"] = page with { Shape = new ChunkShape(1, 6, 4, "float32") },
            ["codec"] = page with { Shape = new ChunkShape(2, 3, 4, "bfloat16") },
            ["page size"] = Pages.Of(16, pageSize: 4)[2] with { Hash = page.Hash },
        };
        foreach (var (field, other) in others)
        {
            await _objects.DeleteAsync(other.Key, Precondition.None, Stopping);
            await _chunks.WriteAsync(other, Pages.Kv(other), Stopping);
            var bytes = (await _objects.FindAsync(other.Key, Stopping))!.Content;
            await _objects.PutAsync(page.Key, new(bytes), Precondition.None, Stopping);

            var fault = (await _chunks.ReadAsync(page, null, new byte[page.KvBytes], Stopping)).Fault;

            Assert.True(fault is ChunkFault.Header or ChunkFault.Length, $"{field}: {fault}");
            if (bytes.Length == ChunkStore.StoredBytes(page))
            {
                Assert.Equal(ChunkFault.Header, fault);
            }
        }
    }

    [Fact, Trait("Invariant", "1")]
    public async Task ReadAsync_ManifestNamesAnotherChecksum_GivesChecksum()
    {
        var page = Pages.Of(3)[0];
        await _chunks.WriteAsync(page, Pages.Kv(page), Stopping);

        Assert.Equal(ChunkFault.Checksum, (await _chunks.ReadAsync(page, new string('0', 32), new byte[page.KvBytes], Stopping)).Fault);
    }

    [Fact]
    public async Task WriteAsync_ChunkExists_TouchesItAndWritesNothing()
    {
        var page = Pages.Of(3)[0];
        var first = await _chunks.WriteAsync(page, Pages.Kv(page), Stopping);
        var listed = (await _objects.HeadAsync(page.Key, Stopping))!.Version;

        var second = await _chunks.WriteAsync(page, Pages.Kv(page), Stopping);

        Assert.Equal(first with { Existed = true }, second);
        Assert.NotEqual(listed, (await _objects.HeadAsync(page.Key, Stopping))!.Version); // a collector that listed it before lets it be
    }

    [Fact]
    public async Task WriteAsync_OtherRightBitsExist_KeepsThemAndSaysTheirChecksum()
    {
        var page = Pages.Of(3)[0];
        var first = await _chunks.WriteAsync(page, Pages.Kv(page, seed: 1), Stopping);

        var second = await _chunks.WriteAsync(page, Pages.Kv(page, seed: 2), Stopping); // inexact numerics

        Assert.Equal(first with { Existed = true }, second);
    }

    [Theory, InlineData("cut"), InlineData("header"), InlineData("checksum")]
    [Trait("Invariant", "1")]
    public async Task WriteAsync_BadBytesLieThere_ReplacesThem(string damage)
    {
        var page = Pages.Of(3)[0];
        var kv = Pages.Kv(page);
        var good = await _chunks.WriteAsync(page, kv, Stopping);
        var file = (await _objects.FindAsync(page.Key, Stopping))!.Content;
        var checksumAt = Encoding.ASCII.GetString(file).IndexOf("\"checksum\":\"", StringComparison.Ordinal) + 12;
        byte[] bad = damage switch { "cut" => file[..^1], "header" => [.. file[..20], (byte)'?', .. file[21..]], _ => [.. file[..checksumAt], .. new string('0', 32).Select(c => (byte)c), .. file[(checksumAt + 32)..]] };
        await _objects.PutAsync(page.Key, new(bad), Precondition.None, Stopping);

        Assert.Equal(good, await _chunks.WriteAsync(page, kv, Stopping));

        Assert.Equal(file, (await _objects.FindAsync(page.Key, Stopping))!.Content);
    }

    [Fact, Trait("Invariant", "1")]
    public async Task RepairAsync_ChunkIsBad_ReplacesJustThatVersion()
    {
        var page = Pages.Of(3)[0];
        var kv = Pages.Kv(page);
        await _chunks.WriteAsync(page, kv, Stopping);
        var bytes = (await _objects.FindAsync(page.Key, Stopping))!.Content;
        bytes[^20] ^= 1;
        await _objects.PutAsync(page.Key, new(bytes), Precondition.None, Stopping);
        var bad = await _chunks.ReadAsync(page, null, new byte[kv.Length], Stopping);

        var repaired = await _chunks.RepairAsync(page, kv, bad.Version!, Stopping);
        Assert.False(repaired.Existed);
        Assert.Null((await _chunks.ReadAsync(page, repaired.Checksum, new byte[kv.Length], Stopping)).Fault);

        // A second one, late, finds the first one's work and keeps it.
        Assert.True((await _chunks.RepairAsync(page, kv, bad.Version!, Stopping)).Existed);
        await _objects.DeleteAsync(page.Key, Precondition.None, Stopping);
        Assert.False((await _chunks.RepairAsync(page, kv, bad.Version!, Stopping)).Existed);
    }

    [Fact]
    public async Task WriteAsync_PageHasAnotherLength_Throws() =>
        await Assert.ThrowsAsync<ArgumentException>(() => _chunks.WriteAsync(Pages.Of(3)[0], new byte[5], Stopping));

    private static void AssertIsSafetensors(byte[] file, ChunkIdentity page, byte[] kv, string checksum, string dtype)
    {
        var start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        Assert.Equal(0, start % 64);
        using var header = JsonDocument.Parse(file.AsMemory(8, start - 8));
        var root = header.RootElement;
        Assert.Equal(["__metadata__", "layers.0.key", "layers.0.value", "layers.1.key", "layers.1.value", "tokens"], root.EnumerateObject().Select(p => p.Name));
        Assert.Equal(
            ["version=1", $"fingerprint={page.Fingerprint}", $"numerics={page.Numerics}", $"hash={page.Hash}", $"parent={page.Parent}", $"start={page.Start}", $"count={page.Count}", $"checksum={checksum}"],
            root.GetProperty("__metadata__").EnumerateObject().Select(p => $"{p.Name}={p.Value.GetString()}"));
        var end = 0L;
        foreach (var tensor in root.EnumerateObject().Skip(1))
        {
            Assert.Equal(tensor.Name == "tokens" ? "I32" : dtype, tensor.Value.GetProperty("dtype").GetString());
            Assert.Equal(tensor.Name == "tokens" ? [page.Count] : [3, page.Count, 4], tensor.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt32()));
            Assert.Equal(end, tensor.Value.GetProperty("data_offsets")[0].GetInt64());
            end = tensor.Value.GetProperty("data_offsets")[1].GetInt64();
        }

        Assert.Equal(file.Length - start, end);
        byte[] data = [.. kv, .. MemoryMarshal.AsBytes(page.TokenIds.Span)];
        Assert.Equal(data, file[start..]);
        Assert.Equal(Convert.ToHexStringLower(XxHash128.Hash(data)), checksum);
    }
}
