using System.Text.Json.Serialization;
using Granary.Storage.Manifests;
using Granary.Storage.Specs;

namespace Granary.Storage.Sealing;

/// <summary>How this library's documents are written: camelCase, compact, absent members left out, in the order of declaration.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    AllowDuplicateProperties = false,
    MaxDepth = 16)]
[JsonSerializable(typeof(ManifestDocument))]
[JsonSerializable(typeof(ModelSpecDocument))]
[JsonSerializable(typeof(TenantDocument))]
internal sealed partial class StorageJson : JsonSerializerContext;
