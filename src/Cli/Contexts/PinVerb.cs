using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context pin</c>.</summary>
internal static class PinVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var duration = new Option<string?>("--for") { Description = "How long: 90s, 1h, 7d. Default: until it is unpinned." };
        var until = new Option<string?>("--until") { Description = "Until when: an instant like 2027-01-31T18:00:00Z." };
        var command = verbs.Verb("pin", "Exempts a context from eviction, while it is resident. It loads nothing (see warm), and its expiry stays.", RunAsync, [name, duration, until]);
        model.AddTo(command);
        return command;

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            if (arguments.GetValue(duration) is not null && arguments.GetValue(until) is not null)
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, "--for and --until are given.", "Give one of them.");
            }

            var pin = new ContextPin
            {
                Duration = arguments.GetValue(duration) is { } life ? Durations.Parse("--for", life) : null,
                Until = arguments.GetValue(until) is { } instant ? Instants.Parse("--until", instant) : null,
            };
            return UpdatedContext.RunAsync(
                invocation, name, model, new UpdateContextRequest { Pin = pin }, static context => $"pinned {UpdatedContext.Until(context.PinnedUntil ?? default)}", cancellationToken);
        }
    }
}
