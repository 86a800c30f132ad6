using System.CommandLine;
using Granary.Cli.Models;

namespace Granary.Cli.Arguments;

/// <summary><c>M</c>, as an option or an argument, with the options that stand wherever it stands.</summary>
internal sealed class ModelFlags
{
    private readonly Option<string?> _model = new("--model") { Description = "Model id of the settings, or checkpoint folder.", HelpName = "M" };
    private readonly Argument<string> _argument = new("M") { Description = "Model id of the settings, or checkpoint folder." };
    private readonly Option<string?> _dtype = new("--dtype") { Description = "What is computed in. Default: float32, or the settings' one." };
    private readonly Option<string?> _modelId = new("--model-id") { Description = "The model's id, instead of its folder's name." };
    private bool _isArgument;

    /// <summary>Creates them.</summary>
    public ModelFlags() => _dtype.AcceptOnlyFromAmong("float32", "bfloat16", "float64");

    /// <summary>Adds <c>--model M</c>.</summary>
    /// <param name="command">The verb.</param>
    /// <param name="required">Whether the verb needs it.</param>
    public void AddTo(Command command, bool required = true)
    {
        _model.Required = required;
        command.Options.Add(_model);
        AddCompanions(command);
    }

    /// <summary>Adds <c>M</c> as an argument.</summary>
    /// <param name="command">The verb.</param>
    public void AddAsArgument(Command command)
    {
        _isArgument = true;
        command.Arguments.Add(_argument);
        AddCompanions(command);
    }

    /// <summary>Adds <c>--dtype</c> and <c>--model-id</c> alone.</summary>
    /// <param name="command">The verb.</param>
    public void AddCompanions(Command command)
    {
        command.Options.Add(_dtype);
        command.Options.Add(_modelId);
    }

    /// <summary>Gets <c>--dtype</c>.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <returns>The dtype; <see langword="null"/> where it was not given.</returns>
    public string? Dtype(ParseResult arguments) => arguments.GetValue(_dtype);

    /// <summary>Gets <c>--model-id</c>.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <returns>The id; <see langword="null"/> where it was not given.</returns>
    public string? ModelId(ParseResult arguments) => arguments.GetValue(_modelId);

    /// <summary>Gets the model that was named.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The model.</returns>
    public ModelReference Read(ParseResult arguments, Settings settings) =>
        ModelReference.Resolve((_isArgument ? arguments.GetValue(_argument) : arguments.GetValue(_model)) ?? "", Dtype(arguments), ModelId(arguments), settings);

    /// <summary>Gets the model that was named, if one was.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The model, or <see langword="null"/>.</returns>
    public ModelReference? Find(ParseResult arguments, Settings settings) =>
        arguments.GetValue(_model) is { } model ? ModelReference.Resolve(model, Dtype(arguments), ModelId(arguments), settings) : null;
}
