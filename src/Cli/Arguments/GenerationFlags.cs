using System.CommandLine;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>The options that say how an answer is decoded.</summary>
internal sealed class GenerationFlags
{
    private const int MostAlternatives = 20;

    private readonly Option<int?> _maxNewTokens = new("--max-new-tokens") { Description = "Most tokens to decode. Default: 128, or what the window leaves." };
    private readonly Option<long?> _seed = new("--seed") { Description = "Seed of sampling." };
    private readonly Option<double?> _temperature = new("--temperature") { Description = "Sampling temperature. Default: 0, greedy." };
    private readonly Option<int?> _topK = new("--top-k") { Description = "Sample from the K likeliest tokens, exactly: of a tie at the last place the lowest ids.", HelpName = "K" };
    private readonly Option<double?> _topP = new("--top-p") { Description = "Sample from the likeliest tokens, up to and with the one that brings their probabilities to P.", HelpName = "P" };
    private readonly Option<double?> _repetitionPenalty = new("--repetition-penalty") { Description = "Divides logits above 0 (multiplies others) of ids that occurred already: 0.01 to 100. Default: 1, off.", HelpName = "X" };
    private readonly Option<string[]> _stop = new("--stop") { Description = "A string that ends the answer; may be repeated.", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
    private readonly Option<int[]> _stopIds = new("--stop-id") { Description = "A token id that ends the answer; may be repeated.", HelpName = "N", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Treat the end-of-text token as an ordinary one." };
    private readonly Option<int?> _logProbabilities = new("--logprobs") { Description = "Log-probabilities of the tokens, and of N alternatives each (0 to 20).", HelpName = "N" };

    /// <summary>Lets <c>--logprobs</c> stand without its number, also in front of an argument.</summary>
    /// <param name="arguments">The command line.</param>
    /// <returns>The command line, the number made explicit.</returns>
    public static string[] Normalize(IReadOnlyList<string> arguments)
    {
        var end = arguments.TakeWhile(argument => argument != "--").Count();
        return [.. arguments.Select((argument, index) =>
            index < end && argument == "--logprobs" && !(index + 1 < end && int.TryParse(arguments[index + 1], out _)) ? "--logprobs=0" : argument)];
    }

    /// <summary>Adds them to a verb.</summary>
    /// <param name="command">The verb.</param>
    public void AddTo(Command command)
    {
        command.Options.Add(_maxNewTokens);
        command.Options.Add(_seed);
        command.Options.Add(_temperature);
        command.Options.Add(_topK);
        command.Options.Add(_topP);
        command.Options.Add(_repetitionPenalty);
        command.Options.Add(_stop);
        command.Options.Add(_stopIds);
        command.Options.Add(_ignoreEos);
        command.Options.Add(_logProbabilities);
    }

    /// <summary>Reads them.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <returns>The options.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: keep the range that the message names.</exception>
    public GenerationOptions Read(ParseResult arguments)
    {
        var alternatives = arguments.GetValue(_logProbabilities);
        var options = new GenerationOptions
        {
            MaxNewTokens = arguments.GetValue(_maxNewTokens),
            Temperature = arguments.GetValue(_temperature) ?? 0,
            TopK = arguments.GetValue(_topK),
            TopP = arguments.GetValue(_topP),
            Seed = arguments.GetValue(_seed),
            RepetitionPenalty = arguments.GetValue(_repetitionPenalty) ?? 1,
            StopIds = arguments.GetValue(_stopIds) ?? [],
            Stop = arguments.GetValue(_stop) ?? [],
            IgnoreEos = arguments.GetValue(_ignoreEos),
            LogProbabilities = alternatives is not null,
            TopLogProbabilities = alternatives ?? 0,
        };
        Require(options.MaxNewTokens is null or > 0, "--max-new-tokens", options.MaxNewTokens, "a number above 0");
        Require(double.IsFinite(options.Temperature) && options.Temperature >= 0, "--temperature", options.Temperature, "0 or more");
        Require(options.TopK is null or > 0, "--top-k", options.TopK, "a number above 0");
        Require(options.TopP is null or (> 0 and <= 1), "--top-p", options.TopP, "a share above 0, up to 1");
        Require(options.RepetitionPenalty is >= 0.01 and <= 100, "--repetition-penalty", options.RepetitionPenalty, "0.01 to 100");
        Require(options.TopLogProbabilities is >= 0 and <= MostAlternatives, "--logprobs", options.TopLogProbabilities, "0 to 20");
        Require(options.Stop.All(stop => stop.Length > 0), "--stop", "empty", "at least one character");
        return options;
    }

    private static void Require(bool holds, string flag, object? value, string remedy)
    {
        if (!holds)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, FormattableString.Invariant($"{flag} is {value}."), $"Give {remedy}.");
        }
    }
}
