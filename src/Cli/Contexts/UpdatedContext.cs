using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Documents;
using Granary.Contexts;

namespace Granary.Cli.Contexts;

/// <summary>Changes what is known about a context, and prints it.</summary>
internal static class UpdatedContext
{
    /// <summary>Sends the change.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="name">The argument with the name.</param>
    /// <param name="model">The model's options.</param>
    /// <param name="request">The change.</param>
    /// <param name="tell">What people read of it.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        Invocation invocation, Argument<string> name, ModelFlags model, UpdateContextRequest request, Func<ContextDescription, string> tell, CancellationToken cancellationToken)
    {
        await using var named = await NamedContext.OpenAsync(invocation, name, model, cancellationToken);
        var updated = await named.Context.UpdateAsync(request, cancellationToken);
        invocation.WriteResult(ContextDocument.Of(updated), terminal => terminal.Out.WriteLine($"{updated.Context} ({updated.Model}) {tell(updated)}"));
        return 0;
    }

    /// <summary>Says until when, for people.</summary>
    /// <param name="instant">The instant.</param>
    /// <returns>Words.</returns>
    public static string Until(DateTimeOffset instant) => instant == DateTimeOffset.MaxValue ? "until it is unpinned" : $"until {instant:u}";
}
