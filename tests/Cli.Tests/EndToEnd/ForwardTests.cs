namespace Granary.Cli.Tests.EndToEnd;

/// <summary>Rows S1 to S4 of the goldens' README, by <c>granary model forward</c>.</summary>
/// <remarks>
/// Tolerances: float64 1e-9, and 1e-6 for head-80 and full-rotary-tanh, where transformers 4.30 rounds sqrt(head_dim) to float32 also in a float64 run and the
/// root is no float32; the goldens' README allows 1e-5 in any case. Float32 logits 2e-4, KV 5e-5: an order above Hugging Face's own float32.
/// </remarks>
public sealed class ForwardTests : IDisposable
{
    private readonly Workplace _place = new();

    public void Dispose() => _place.Dispose();

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S1_Forward_Float32_IsHuggingFaces(string name)
    {
        var golden = GoldenForward.Of(name);
        var result = await ForwardAsync(name, golden, "float32");
        Assert.Equal(golden.LogitsShape, result.LogitsShape);
        Assert.Equal(golden.KvShape, result.KvShape);
        Assert.InRange(GoldenForward.Difference(golden.Logits, result.Logits), 0, 2e-4);
        Assert.InRange(GoldenForward.Difference(golden.Kv, result.Kv), 0, 5e-5);
    }

    [Theory, MemberData(nameof(GoldenForward.Splits), MemberType = typeof(GoldenForward))]
    public async Task S1_S2_S3_ForwardWithSplit_Float64_IsHuggingFaces(string name, int split)
    {
        var golden = GoldenForward.Of(name);
        var vocabulary = (int)golden.LogitsShape[1];
        var result = await ForwardAsync(name, golden, "float64", "--split", $"{split}");
        Assert.Equal([golden.Tokens.Length - split, vocabulary], result.LogitsShape);
        Assert.Equal(golden.KvShape, result.KvShape);
        Assert.InRange(GoldenForward.Difference(golden.Logits.AsSpan(split * vocabulary), result.Logits), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(golden.Kv, result.Kv), 0, Tolerance(name));
    }

    [Theory, MemberData(nameof(GoldenForward.Names), MemberType = typeof(GoldenForward))]
    public async Task S4_ForwardWithLeftPad_IsRightWithPositionsAndWrongWithout(string name)
    {
        var golden = GoldenForward.Of(name);
        string[] padded = ["--split", $"{golden.Split}", "--left-pad", $"{golden.LeftPad}"];
        var right = await ForwardAsync(name, golden, "float64", padded);
        var wrong = await ForwardAsync(name, golden, "float64", [.. padded, "--no-position-ids"]);
        Assert.InRange(GoldenForward.Difference(golden.Logits.AsSpan(golden.Split * (int)golden.LogitsShape[1]), right.Logits), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(golden.Kv, right.Kv), 0, Tolerance(name));
        Assert.InRange(GoldenForward.Difference(golden.WrongLogits, wrong.Logits), 0, Tolerance(name));
        Assert.True(GoldenForward.Difference(right.Logits, wrong.Logits) > 1e-3);
    }

    [Theory]
    [InlineData("--split", "0")]
    [InlineData("--split", "64")]
    [InlineData("--split", "-1")]
    [InlineData("--left-pad", "-1", "--split", "3")]
    [InlineData("--left-pad", "3")]
    [InlineData("--no-position-ids")]
    public async Task Forward_SplitOrPadOutOfRange_IsWrongUsageAndWritesNothing(params string[] options)
    {
        var run = await RunAsync("serial", GoldenForward.Of("serial"), "float32", options);
        run.Refused(2, "InvalidArgument");
        Assert.Empty(Directory.GetFiles(_place.Folder, "out*"));
    }

    private static double Tolerance(string name) => name is "head-80" or "full-rotary-tanh" ? 1e-6 : 1e-9;

    private Task<CommandRun> RunAsync(string name, GoldenForward golden, string dtype, string[] options)
    {
        var ids = _place.Write("ids.json", $"[{string.Join(',', golden.Tokens)}]");
        return _place.RunAsync(["model", "forward", Workplace.Model(name), "--tokens", "@" + ids, "--dtype", dtype, "--out", _place.Path("out.safetensors"), "--json", .. options]);
    }

    private async Task<GoldenForward> ForwardAsync(string name, GoldenForward golden, string dtype, params string[] options)
    {
        (await RunAsync(name, golden, dtype, options)).Succeeded();
        return GoldenForward.Read(_place.Path("out.safetensors"));
    }
}
