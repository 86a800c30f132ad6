using System.Globalization;

namespace Granary.Bench.Engine;

/// <summary>What one process of an engine measures in one round. Engines take turns unit by unit.</summary>
/// <param name="Name">What <c>--works</c> calls it.</param>
/// <param name="Ours">Arguments of <c>granary bench engine</c>.</param>
/// <param name="Peers">Arguments of the peer's benchmark; none where it has nothing to compare.</param>
internal sealed record WorkUnit(string Name, IReadOnlyList<string> Ours, IReadOnlyList<string> Peers)
{
    private const int OurSteps = 32;
    private const int PeerSteps = 16; // it takes their median, so fewer do; with f32 KV one is 190 ms

    /// <summary>Gets all units, in their order.</summary>
    public static IReadOnlyList<WorkUnit> All { get; } =
    [
        new("load", ["--works", "load"], []),
        new("prefill", ["--works", "prefill,one-step", "--prefill", "512,2048"], ["--tasks", "prefill", "--prefill", "512,2048"]),
        Decode("decode", contexts: "2048", batches: "1,8"),
        Decode("batch", contexts: "128", batches: "32"),
        new("shared", ["--works", "shared", .. Steps(OurSteps)], []),
    ];

    private static WorkUnit Decode(string name, string contexts, string batches) => new(
        name,
        ["--works", "decode", "--contexts", contexts, "--batches", batches, .. Steps(OurSteps)],
        ["--tasks", "decode", "--ctx", contexts, "--batch", batches, .. Steps(PeerSteps)]);

    private static string[] Steps(int steps) => ["--steps", steps.ToString(CultureInfo.InvariantCulture)];
}
