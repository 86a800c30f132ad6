using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Errors;
using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Safetensors;

namespace Granary.Cli.Models;

/// <summary><c>granary model forward</c>.</summary>
internal static class ModelForwardVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var tokens = new Option<string>("--tokens") { Description = "Token ids: 1,2,3 or @ids.json.", HelpName = "IDS", Required = true };
        var split = new Option<int?>("--split") { Description = "Prefill the first N tokens; run the rest over their cache.", HelpName = "N" };
        var leftPad = new Option<int?>("--left-pad") { Description = "Put P zero rows in front of that cache, masked.", HelpName = "P" };
        var noPositionIds = new Option<bool>("--no-position-ids") { Description = "Let the rest's positions continue the padded length." };
        var output = new Option<string>("--out") { Description = "Safetensors file for logits and kv.", Required = true };
        var model = new ModelFlags();
        var command = verbs.Verb("forward", "Runs tokens through a model and writes logits and KV.", RunAsync);
        model.AddAsArgument(command);
        foreach (Option option in new Option[] { tokens, split, leftPad, noPositionIds, output })
        {
            command.Options.Add(option);
        }

        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var request = new ForwardRequest
            {
                TokenIds = TokenIdList.Parse("--tokens", arguments.GetRequiredValue(tokens)),
                Split = arguments.GetValue(split),
                LeftPad = arguments.GetValue(leftPad) ?? 0,
                PositionIds = !arguments.GetValue(noPositionIds),
            };
            if (!request.PositionIds && arguments.GetValue(leftPad) is null)
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, "--no-position-ids stands without --left-pad.", "Add --left-pad P, or leave --no-position-ids out.");
            }

            var path = arguments.GetRequiredValue(output);
            var reference = model.Read(arguments, invocation.Settings) with { Codec = ModelReference.DefaultCodec }; // nothing is stored: the KV is what was computed
            await using var local = await LocalModel.LoadAsync(invocation, reference, cancellationToken);
            var result = await local.Model.ForwardAsync(request, cancellationToken);
            await OutputFile.ReplaceAsync(path, temporary =>
            {
                var dtype = ToSafetensors(result.Dtype);
                SafetensorsWriter.Write(temporary,
                [
                    SafetensorsEntry.FromMemory("logits", dtype, result.LogitsShape, result.Logits),
                    SafetensorsEntry.FromMemory("kv", dtype, result.KvShape, result.Kv),
                ]);
                return Task.FromResult(true);
            });
            var document = new ModelForwardDocument(reference.Id, reference.Dtype, request.TokenIds.Length, result.LogitsShape, result.KvShape, path, local.Model.Numerics.Id, local.Model.Numerics.Exact);
            invocation.WriteResult(document, terminal =>
                terminal.Out.WriteLine($"{path}: logits [{string.Join(", ", result.LogitsShape)}], kv [{string.Join(", ", result.KvShape)}], {reference.Dtype}"));
            invocation.NoteUnless(document.Exact);
            return 0;
        }
    }

    private static SafetensorsDtype ToSafetensors(KvDtype dtype) => dtype switch
    {
        KvDtype.BFloat16 => SafetensorsDtype.BF16,
        KvDtype.Float32 => SafetensorsDtype.F32,
        _ => SafetensorsDtype.F64,
    };
}
