using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>All that the bits of a result depend on beside token ids, options and weights. KV is shared only within one id.</summary>
/// <remarks>Design, section 3.</remarks>
public sealed record NumericsId
{
    // Raised by hand when a change to this library changes a bit of any result.
    private const int EngineVersion = 5;
    private const string History = "history";
    private const int StructuredFeatures = 7; // CPUID's leaf of instruction sets

    // By these a user makes libtorch, oneDNN or MKL take other kernels than the processor's best, or less precise ones.
    private static readonly string[] LibraryVariables =
    [
        "ATEN_CPU_CAPABILITY", "DNNL_DEFAULT_FPMATH_MODE", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA",
    ];

    private NumericsId(string id, IReadOnlyDictionary<string, string> parts) => (Id, Parts) = (id, parts);

    /// <summary>Gets the id: 32 hexadecimal digits of SHA-256 over the parts.</summary>
    public string Id { get; }

    /// <summary>Gets the parts by name.</summary>
    public IReadOnlyDictionary<string, string> Parts { get; }

    /// <summary>Gets whether results are equal to the bit within this id.</summary>
    /// <value>What the self-test found on this machine; where it failed, one of the parts says <c>inexact</c>.</value>
    public bool Exact => !Parts.ContainsKey(History);

    /// <inheritdoc/>
    public override string ToString() => Id;

    /// <summary>Gets the id of a model whose self-test passed.</summary>
    /// <param name="device">The device's kind.</param>
    /// <param name="layout">The dtype of weights, activations and KV, the codec and the tokens of a page.</param>
    /// <param name="kernels">The instruction set of our own kernels, whose activations are float32; <see langword="null"/> where libtorch does it all.</param>
    /// <param name="rotary">The digest of the model's rotary table.</param>
    /// <param name="environment">Reads a variable of the process; its own environment where it is not given.</param>
    internal static NumericsId Of(string device, KvLayout layout, string? kernels, string rotary, Func<string, string?>? environment = null)
    {
        var dtype = layout.Dtype.Name();
        var parts = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["activations"] = kernels is null ? dtype : KvDtype.Float32.Name(),
            ["codec"] = layout.Codec.Name(),
            ["cpu"] = CpuClass(),
            ["device"] = device,
            ["engine"] = EngineVersion.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["kernels"] = kernels ?? "none",
            ["kv"] = dtype,
            ["libtorch"] = TorchSharp.torch.__version__,
            ["page"] = layout.PageSize.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["rotary"] = rotary,
            ["weights"] = dtype,
        };
        foreach (var variable in LibraryVariables)
        {
            if ((environment ?? Environment.GetEnvironmentVariable)(variable) is { Length: > 0 } value)
            {
                parts[variable] = value;
            }
        }

        return Of(parts);
    }

    /// <summary>Gets the id for a machine on which the self-test failed: no KV is shared with those on which it passed.</summary>
    internal NumericsId AsInexact() => Of(new SortedDictionary<string, string>(Parts.ToDictionary(), StringComparer.Ordinal) { [History] = "inexact" });

    private static NumericsId Of(SortedDictionary<string, string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, value) in parts)
        {
            Append(hash, name);
            Append(hash, value);
        }

        return new NumericsId(Convert.ToHexStringLower(hash.GetHashAndReset())[..32], parts);
    }

    // Length-prefixed, so that no two lists of parts give the same bytes.
    private static void Append(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }

    // libtorch, oneDNN and MKL choose their kernels by instruction set, MKL by vendor too. They ask the processor, and so does this: .NET's own switches do not reach them.
    private static string CpuClass()
    {
        if (!X86Base.IsSupported)
        {
            return System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString();
        }

        var (leaves, vendor, _, _) = X86Base.CpuId(0, 0);
        var (_, sets, _, matrix) = leaves >= StructuredFeatures ? X86Base.CpuId(StructuredFeatures, 0) : default;
        var (bfloat, _, _, _) = leaves >= StructuredFeatures ? X86Base.CpuId(StructuredFeatures, 1) : default;
        var avx512 = (sets & 1 << 16) != 0;
        var set = avx512 ? "avx512" : (sets & 1 << 5) != 0 ? "avx2" : "sse";
        var wider = (matrix & 1 << 22) != 0 ? "-amx" : avx512 && (bfloat & 1 << 5) != 0 ? "-bf16" : string.Empty;
        return set + wider + (vendor == 0x756e6547 ? "-intel" : vendor == 0x68747541 ? "-amd" : "-other"); // "Genu", "Auth"
    }
}
