namespace Granary.Inference.Checkpoints;

/// <summary>The rotary embedding of a configuration: <c>rotary_pct</c> and <c>rotary_emb_base</c>, or since transformers 5 <c>rope_parameters</c>.</summary>
internal readonly record struct RotaryFields(int Dimensions, double Base)
{
    private const double DefaultFraction = 0.25;
    private const double DefaultBase = 10000;

    public static RotaryFields Read(ConfigFields fields, int headDim)
    {
        var parameters = fields.Within("rope_parameters");
        RefuseScaling(fields, "rope_parameters", parameters);
        RefuseScaling(fields, "rope_scaling", fields.Within("rope_scaling"));

        var fraction = Choose(fields, "rotary_pct", parameters, "partial_rotary_factor", DefaultFraction);
        var rotaryBase = Choose(fields, "rotary_emb_base", parameters, "rope_theta", DefaultBase);
        var dimensions = (int)(headDim * Math.Min(fraction, 1)); // rounded down, as Hugging Face does
        if (fraction > 1)
        {
            fields.Fault($"the rotary fraction {fraction} is above 1");
        }
        else if (dimensions == 0 || dimensions % 2 != 0)
        {
            fields.Fault($"{dimensions} of a head's {headDim} channels would be rotated (fraction {fraction}), and they rotate in pairs");
        }

        return new RotaryFields(dimensions, rotaryBase);
    }

    /// <summary>Gets a fraction that <see cref="Read"/> turns into the same dimensions: half a channel more than them, since it rounds down and the quotient may come out a bit short.</summary>
    public static double FractionOf(ModelConfig config)
    {
        var fraction = (double)config.RotaryDimensions / config.HeadDim;
        return (int)(config.HeadDim * fraction) == config.RotaryDimensions ? fraction : (config.RotaryDimensions + 0.5) / config.HeadDim;
    }

    private static void RefuseScaling(ConfigFields fields, string name, ConfigFields? scaling)
    {
        if ((scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default") is var kind and not "default")
        {
            fields.Fault($"{name} of type '{kind}' is not supported; supported is 'default'");
        }
    }

    private static double Choose(ConfigFields old, string oldName, ConfigFields? parameters, string name, double unless)
    {
        var before = old.Number(oldName, unless, above: 0);
        var now = parameters?.Number(name, before, above: 0) ?? before;
        if (old.Has(oldName) && now != before)
        {
            old.Fault($"{oldName} {before} contradicts rope_parameters.{name} {now}");
        }

        return now;
    }
}
