using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

/// <summary>What an ask is answered on.</summary>
/// <param name="Context">The context, at the version that answers.</param>
/// <param name="Given">The answer's first tokens, where they have been chosen before: those of a stream that goes on, or all of an answer that was kept.</param>
internal readonly record struct AskedTurn(ContextManifest Context, int[] Given);
