using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;

namespace Granary.Inference.Engine;

/// <summary>How a model is run.</summary>
/// <param name="Dtype">What it computes in and holds its KV in, whatever the checkpoint says.</param>
/// <param name="PageSize">Tokens of a full page.</param>
/// <param name="Fingerprints">Where fingerprints of unchanged files are kept; <see langword="null"/> for the user's cache.</param>
public sealed record ModelLoadOptions(KvDtype Dtype = KvDtype.Float32, int PageSize = KvLayout.DefaultPageSize, FingerprintCache? Fingerprints = null);
