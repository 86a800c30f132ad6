using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cli.Contexts;

/// <summary><c>granary context create</c>.</summary>
internal static class CreateVerb
{
    private const int DefaultReserve = 256;

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <returns>The command.</returns>
    public static Command Create(VerbHost verbs)
    {
        var name = ContextVerbs.Name();
        var model = new ModelFlags();
        var input = new InputFlags(
            "context",
            new Option<string?>("--text") { Description = "The context's text." },
            new Option<string?>("--tokens") { Description = "Its token ids: 1,2,3 or @ids.json.", HelpName = "IDS" },
            new Option<string?>("--file") { Description = "A UTF-8 file with its text." });
        var life = new LifeFlags();
        var truncate = new Option<string?>("--truncate") { Description = "left: keep the last ids of a context that is too long." };
        truncate.AcceptOnlyFromAmong("left");
        var reserve = new Option<int?>("--reserve") { Description = $"Tokens that --truncate leaves free. Default: {DefaultReserve}." };
        var stream = new Option<bool>("--stream") { Description = "With --json, progress events before the result." };
        var command = verbs.Verb("create", "Computes a context's KV cache and stores it.", RunAsync, [name, .. input.Symbols, .. life.Symbols, truncate, reserve, stream]);
        model.AddTo(command);
        return command;

        async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
        {
            var arguments = invocation.Arguments;
            var (timeToLive, refreshOnHit, labels) = life.Read(arguments);
            var request = new CreateContextRequest
            {
                Input = input.Read(arguments),
                TimeToLive = timeToLive,
                RefreshOnHit = refreshOnHit,
                Labels = labels,
                TruncateLeft = arguments.GetValue(truncate) is not null,
                Reserve = CheckReserve(arguments.GetValue(reserve), arguments.GetValue(truncate) is not null),
            };
            var reference = model.Read(arguments, invocation.Settings);
            Naming.Names.Check("context", arguments.GetRequiredValue(name));
            await using var session = await invocation.OpenAsync(reference, cancellationToken);
            var context = session.Client.Context(reference.Id, arguments.GetRequiredValue(name), invocation.Settings.Tenant);
            var created = await StoringProgress.RunAsync(invocation, context.Id, context.CreateAsync(request, cancellationToken), arguments.GetValue(stream));
            invocation.WriteResult(CreatedDocument.Of(created), terminal => terminal.Out.WriteLine(Summary(created)));
            invocation.NoteUnless(created.Exact);
            return 0;
        }
    }

    private static int CheckReserve(int? reserve, bool truncates) => reserve switch
    {
        not null when !truncates => throw new GranaryException(ErrorCodes.InvalidArgument, "--reserve stands without --truncate.", "Add --truncate left, or leave --reserve out."),
        < 1 => throw new GranaryException(ErrorCodes.InvalidArgument, $"--reserve is {reserve}.", "Give a number above 0."),
        _ => reserve ?? DefaultReserve,
    };

    private static string Summary(ContextCreated created)
    {
        var context = created.Context;
        var work = created.Existed
            ? "was stored already"
            : $"stored: {created.PrefilledTokens} tokens computed, {created.RestoredTokens} found in the store";
        var cut = context.TruncatedTokens > 0 ? $", {context.TruncatedTokens} leading tokens cut off" : "";
        return $"{context.Context} ({context.Model}) {work}; {context.Tokens} tokens, {context.Pages} pages, {ByteSizes.Show(context.StoredBytes)}{cut}";
    }
}
