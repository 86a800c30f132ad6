using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context expire</c>.</summary>
internal static class ExpireVerb
{
    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var after = new Option<string?>("--in") { Description = "After how long, from now on: 90s, 1h, 7d." };
        var refresh = new Option<bool>("--refresh") { Description = "With --in: each use starts that time anew." };
        var at = new Option<string?>("--at") { Description = "At an instant: 2027-01-31T18:00:00Z." };
        var never = new Option<bool>("--never") { Description = "Not before it is deleted." };
        var now = new Option<bool>("--now") { Description = "At once: it is gone for all verbs, and the next sweep deletes it." };
        var command = verbs.Verb("expire", "Sets when a context expires.", RunAsync, [name, after, refresh, at, never, now]);
        model.AddTo(command);
        return command;

        Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var (life, instant) = (arguments.GetValue(after), arguments.GetValue(at));
            if ((life is null ? 0 : 1) + (instant is null ? 0 : 1) + (arguments.GetValue(never) ? 1 : 0) + (arguments.GetValue(now) ? 1 : 0) != 1)
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, "It is not said when the context expires, or in more than one way.", "Give one of --in, --at, --never and --now.");
            }

            if (arguments.GetValue(refresh) && life is null)
            {
                throw new GranaryException(ErrorCodes.InvalidArgument, "--refresh stands without --in.", "Add --in, or leave --refresh out.");
            }

            var expiry = life is not null ? new ContextExpiry { TimeToLive = Durations.Parse("--in", life), RefreshOnHit = arguments.GetValue(refresh) }
                : instant is not null ? new ContextExpiry { Expires = Instants.Parse("--at", instant) }
                : arguments.GetValue(never) ? ContextExpiry.Never
                : ContextExpiry.Now;
            return UpdatedContext.RunAsync(
                invocation, name, model, new UpdateContextRequest { Expiry = expiry }, static context => context.Expires is { } expires ? $"expires {expires:u}" : "never expires", cancellationToken);
        }
    }
}
