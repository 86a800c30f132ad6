using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Sessions;
using Granary.Client;
using Granary.Naming;

namespace Granary.Cli.Contexts;

/// <summary>The context that a verb names, in a session with its model.</summary>
internal sealed class NamedContext : IAsyncDisposable
{
    private readonly IGranarySession _session;

    private NamedContext(IGranarySession session, IGranaryContext context)
    {
        _session = session;
        Context = context;
    }

    /// <summary>Gets the context.</summary>
    public IGranaryContext Context { get; }

    /// <summary>Opens the session; names are checked before any weight is read.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="name">The argument with the name.</param>
    /// <param name="model">The model's options.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The context; the caller disposes it.</returns>
    public static async Task<NamedContext> OpenAsync(Invocation invocation, Argument<string> name, ModelFlags model, CancellationToken cancellationToken)
    {
        var contextName = Names.Check("context", invocation.Arguments.GetRequiredValue(name));
        var reference = model.Read(invocation.Arguments, invocation.Settings);
        var session = await invocation.OpenAsync(reference, cancellationToken);
        try
        {
            return new NamedContext(session, session.Client.Context(reference.Id, contextName, invocation.Settings.Tenant));
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _session.DisposeAsync();
}
