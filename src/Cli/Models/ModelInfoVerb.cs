using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Cli.Terminals;
using Granary.Inference.Checkpoints;
using Granary.Inference.Pages;

namespace Granary.Cli.Models;

/// <summary><c>granary model info</c>.</summary>
internal static class ModelInfoVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var model = new ModelFlags();
        var command = verbs.Verb("info", "Describes a checkpoint, and what its answers' bits depend on here.", RunAsync);
        model.AddAsArgument(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var reference = model.Read(invocation.Arguments, invocation.Settings);
            var (config, weightBytes) = ReadCheckpoint(reference.RequiredFolder);
            await using var local = await LocalModel.LoadAsync(invocation, reference, cancellationToken);
            var numerics = local.Model.Numerics;
            var document = new ModelInfoDocument(
                reference.Id,
                reference.RequiredFolder,
                Describe(config),
                reference.Dtype,
                weightBytes,
                local.Model.Fingerprint,
                local.Model.Tokenizer?.Digest,
                new NumericsDocument(numerics.Id, numerics.Exact, numerics.Parts),
                KvLayout.Of(config, reference.KvDtype).BytesPerToken,
                local.Model.WeightBytes,
                local.Model.WorkspaceBytes,
                local.Model.LoadTime.TotalSeconds,
                local.Model.SelfTestTime?.TotalSeconds);
            invocation.WriteResult(document, terminal => Show(terminal, document));
            return 0;
        }
    }

    private static (ModelConfig Config, long WeightBytes) ReadCheckpoint(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return (checkpoint.Config, checkpoint.WeightBytes);
    }

    private static ModelConfigDocument Describe(ModelConfig config) => new(
        config.ModelType,
        config.Layers,
        config.HiddenSize,
        config.Heads,
        config.KvHeads,
        config.HeadDim,
        config.IntermediateSize,
        config.VocabularySize,
        config.Window,
        config.RotaryDimensions,
        config.RotaryBase,
        config.LayerNormEpsilon,
        config.Activation == Activation.Gelu ? "gelu" : "gelu_new",
        config.ParallelResidual,
        config.TiedEmbeddings,
        config.AttentionBias,
        config.EosTokenId);

    private static void Show(ITerminal terminal, ModelInfoDocument info)
    {
        var config = info.Config;
        terminal.Out.WriteLine($"model        {info.Model}");
        terminal.Out.WriteLine($"folder       {info.Folder}");
        terminal.Out.WriteLine($"shape        {config.ModelType}, {config.Layers} layers, hidden {config.HiddenSize}, {config.Heads} heads of {config.HeadDim} ({config.RotaryDimensions} rotary), vocabulary {config.VocabularySize}, window {config.Window}");
        terminal.Out.WriteLine($"weights      {ByteSizes.Show(info.WeightBytes)}, run in {info.Dtype}");
        terminal.Out.WriteLine($"memory       {ByteSizes.Show(info.DeviceWeightBytes)} of weights and {ByteSizes.Show(info.WorkspaceBytes)} of working memory, loaded in {info.LoadSeconds:0.00} s");
        terminal.Out.WriteLine($"KV           {ByteSizes.Show(info.KvBytesPerToken)} a token");
        terminal.Out.WriteLine($"fingerprint  {info.Fingerprint}");
        terminal.Out.WriteLine($"tokenizer    {info.TokenizerDigest ?? "none: token ids only"}");
        terminal.Out.WriteLine($"self-test    {(info.Numerics.Exact ? "passed" : "failed")} {(info.SelfTestSeconds is { } seconds ? $"in {seconds:0.00} s" : "in an earlier load, whose verdict is kept")}{(info.Numerics.Exact ? "" : ": inexact, equal bits are not promised")}");
        terminal.Out.WriteLine($"numerics     {info.Numerics.Id}{(info.Numerics.Exact ? "" : ", inexact")} ({string.Join(", ", info.Numerics.Parts.Select(part => $"{part.Key} {part.Value}"))})");
    }
}
