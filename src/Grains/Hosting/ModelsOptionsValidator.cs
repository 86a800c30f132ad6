using Granary.Errors;
using Granary.Inference.Pages;
using Granary.Naming;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Hosting;

/// <summary>Refuses models that cannot be served, all faults at once, before the silo starts.</summary>
internal sealed class ModelsOptionsValidator : IValidateOptions<ModelsOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ModelsOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        foreach (var (id, model) in options)
        {
            var section = $"Granary:Models:{id}";
            try
            {
                Names.CheckModel(id);
            }
            catch (GranaryException e)
            {
                faults.AddError($"{e.Message} {e.Remedy}", section);
            }

            if (model.Path.Length == 0)
            {
                faults.AddError("is missing. Give a checkpoint folder.", $"{section}:Path");
            }

            if (!KvDtypes.TryParse(model.Dtype, out var dtype))
            {
                faults.AddError($"is '{model.Dtype}'. Use float32, bfloat16 or float64.", $"{section}:Dtype");
            }

            if (!KvCodecs.TryParse(model.Codec, out var codec))
            {
                faults.AddError($"is '{model.Codec}'. Use none or, with float32, bfloat16.", $"{section}:Codec");
            }
            else if (codec.StoredDtype(dtype) is null)
            {
                faults.AddError($"is {model.Codec}, which is not for KV in {model.Dtype}. Compute in float32, or take the codec none.", $"{section}:Codec");
            }
        }

        return faults.Build();
    }
}
