using System.CommandLine;
using Granary.Cli.Arguments;
using Granary.Cli.Models;
using Granary.Cli.Sessions;
using Granary.Client;
using Granary.Client.Datasets;

namespace Granary.Cli.Datasets;

/// <summary>What a verb is given that works on a data set's file with a model: the file, the data set's name, the model, and whether it tells each step.</summary>
internal sealed class DatasetSourceFlags
{
    private readonly Argument<string> _file = new("FILE") { Description = "JSON Lines, or SQuAD's JSON." };
    private readonly Option<string?> _name = new("--name") { Description = "The data set's name. Default: the file's, other characters as -." };
    private readonly Option<bool> _stream = new("--stream") { Description = "With --json, progress events before the result." };
    private readonly ModelFlags _model = new();

    /// <summary>Makes the verb.</summary>
    /// <param name="verbs">Makes verbs.</param>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="run">Does it.</param>
    /// <returns>The command.</returns>
    public Command Verb(VerbHost verbs, string name, string description, Func<Invocation, CancellationToken, Task<int>> run)
    {
        var command = verbs.Verb(name, description, run, _file, _name, _stream);
        _model.AddTo(command);
        return command;
    }

    /// <summary>Reads the file, and opens a session that serves the model.</summary>
    /// <param name="invocation">The verb's run.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>What was opened; the caller disposes it.</returns>
    public async Task<OpenedDataset> OpenAsync(Invocation invocation, CancellationToken cancellationToken)
    {
        var path = invocation.Arguments.GetRequiredValue(_file);
        var name = DatasetVerbs.NameOf(path, invocation.Arguments.GetValue(_name));
        var model = _model.Read(invocation.Arguments, invocation.Settings);
        var source = DatasetSource.Read(path);
        var session = await invocation.OpenAsync(model, cancellationToken);
        return new OpenedDataset(session, session.Client.Dataset(name, invocation.Settings.Tenant), source, model, invocation.Json && invocation.Arguments.GetValue(_stream));
    }
}

/// <summary>A data set's file, and the session that works on it.</summary>
/// <param name="Session">The session.</param>
/// <param name="Dataset">The data set.</param>
/// <param name="Source">Its items.</param>
/// <param name="Model">The model.</param>
/// <param name="TellsSteps">Whether each step is told as an event.</param>
internal sealed record OpenedDataset(IGranarySession Session, IGranaryDataset Dataset, DatasetSource Source, ModelReference Model, bool TellsSteps) : IAsyncDisposable
{
    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Session.DisposeAsync();
}
