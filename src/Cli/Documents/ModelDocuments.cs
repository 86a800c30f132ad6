using System.Text.Json.Serialization;

namespace Granary.Cli.Documents;

/// <summary>An element of <c>size</c> (DESIGN §8).</summary>
internal sealed record SizeDocument(
    string Model,
    int Layers,
    int HiddenSize,
    string Dtype,
    int SequenceLength,
    long BytesPerExample,
    long Examples,
    long BytesTotal,
    long BytesCumulative,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? ExamplesFit);

/// <summary>An element of <c>model list</c>. <c>Numerics</c> and <c>Exact</c> are those of the silos that serve the model, null where none does.</summary>
internal sealed record ModelListDocument(
    string Model,
    bool Configured,
    bool Stored,
    string? Path,
    string? Dtype,
    string? Codec,
    int? PageSize,
    string? Fingerprint,
    string? TokenizerDigest,
    string? Numerics,
    bool? Exact,
    int? Window,
    long? KvBytesPerToken,
    IReadOnlyList<string> Silos);

/// <summary>What <c>model verify</c> prints: the fingerprint that was computed, the one that the cache of this machine had, and the one that the store knows the id with; null where there is none.</summary>
internal sealed record ModelVerifyDocument(string Model, string Folder, string Fingerprint, string? Cached, string? Stored, bool Verified);

/// <summary>What <c>model info</c> prints. <c>LoadSeconds</c> has the self-test in it; <c>SelfTestSeconds</c> is null where its verdict was kept from an earlier load.</summary>
internal sealed record ModelInfoDocument(
    string Model,
    string Folder,
    ModelConfigDocument Config,
    string Dtype,
    long WeightBytes,
    string Fingerprint,
    string? TokenizerDigest,
    NumericsDocument Numerics,
    long KvBytesPerToken,
    long DeviceWeightBytes,
    long WorkspaceBytes,
    double LoadSeconds,
    double? SelfTestSeconds);

/// <summary>The numbers of a model's config.</summary>
internal sealed record ModelConfigDocument(
    string ModelType,
    int Layers,
    int HiddenSize,
    int Heads,
    int KvHeads,
    int HeadDim,
    int IntermediateSize,
    int VocabularySize,
    int Window,
    int RotaryDimensions,
    double RotaryBase,
    double LayerNormEpsilon,
    string Activation,
    bool ParallelResidual,
    bool TiedEmbeddings,
    bool AttentionBias,
    int? EosTokenId);

/// <summary>What the bits of a result depend on beside ids and options.</summary>
internal sealed record NumericsDocument(string Id, bool Exact, IReadOnlyDictionary<string, string> Parts);

/// <summary>What <c>model create</c> prints.</summary>
internal sealed record ModelCreatedDocument(string Model, string Out, string Shape, int Seed, int Window, bool Tokenizer);

/// <summary>What <c>model forward</c> prints.</summary>
internal sealed record ModelForwardDocument(string Model, string Dtype, int Tokens, long[] LogitsShape, long[] KvShape, string Out, string Numerics, bool Exact);

/// <summary>What <c>tokenize</c> prints of a text.</summary>
internal sealed record TokensDocument(int[] TokenIds, int Count);

/// <summary>What <c>tokenize --decode</c> prints.</summary>
internal sealed record TextDocument(string Text);
