using System.Globalization;
using Granary.Client;
using Granary.Contexts;
using Granary.Errors;

namespace Granary.Cluster.Tests.Chaos;

/// <summary>One client of a run: it does one thing after another, and notes what it was told.</summary>
internal sealed class ChaosClient(IGranaryClient client, ChaosLedger ledger, int index)
{
    /// <summary>The model.</summary>
    public const string Model = "ledger-4m";

    private const int Contexts = 60;
    private const int MostTokens = 1700; // the window is 2048
    private const int Vocabulary = 2000;

    // Clients that think: what they wait for is the cluster, and not each other's work on two cores.
    private static readonly TimeSpan Thinking = TimeSpan.FromMilliseconds(250);
    private static int _additions;
    private static int _labels;
    private readonly Random _random = new(index);

    /// <summary>Creates a context of its own.</summary>
    public async Task CreateAsync(CancellationToken cancellationToken)
    {
        var (context, ids) = (ledger.New(), Ids(_random.Next(20, 600)));
        var last = await EndAsync("create", context, client.Context(Model, context.Name).CreateAsync(new CreateContextRequest { Input = TokenInput.OfTokens(ids) }, cancellationToken));
        if (last is not null)
        {
            context.Created(ids, TimeProvider.System.GetTimestamp());
        }
    }

    /// <summary>Does things until it is told to stop; what is under way then is ended.</summary>
    public async Task RunAsync(CancellationToken stopping, CancellationToken cancellationToken)
    {
        while (!stopping.IsCancellationRequested)
        {
            await Task.Delay(Thinking * _random.NextDouble() * 2, TimeProvider.System, cancellationToken);
            var living = ledger.Living;
            var context = living[_random.Next(living.Count)];
            var canGrow = context.Tokens < MostTokens;
            await (_random.Next(100) switch
            {
                < 30 => AskAsync(context, keep: false, cancellationToken),
                < 45 => GetAsync(context, cancellationToken),
                < 49 => UseDeletedAsync(cancellationToken),
                < 52 => ListAsync(cancellationToken),
                < 56 => LabelAsync(context, cancellationToken),
                < 60 => MoveAsync(context, cancellationToken),
                < 80 when canGrow => AppendAsync(context, cancellationToken),
                < 90 when canGrow => AskAsync(context, keep: true, cancellationToken),
                < 95 when living.Count < Contexts => _random.Next(2) == 0 ? CreateAsync(cancellationToken) : ForkAsync(context, cancellationToken),
                >= 95 when living.Count > Contexts / 2 => DeleteAsync(context, cancellationToken),
                _ => GetAsync(context, cancellationToken),
            });
        }
    }

    private async Task AskAsync(ChaosContext context, bool keep, CancellationToken cancellationToken)
    {
        var request = new AskRequest
        {
            Prompt = TokenInput.OfTokens(Ids(_random.Next(1, 6))),
            Options = new GenerationOptions
            {
                MaxNewTokens = keep ? 6 : _random.Next(4, 40),
                IgnoreEos = true,
                Temperature = _random.Next(2),
                Seed = _random.Next(2) == 0 ? 7 : null,
            },
            Keep = keep,
        };
        var verb = keep ? "keep" : "ask";
        var began = TimeProvider.System.GetTimestamp();
        var tokens = new List<AnswerToken>();
        Answer? answer = null;
        try
        {
            await foreach (var part in client.Context(Model, context.Name).AskAsync(request, cancellationToken))
            {
                if (part.Token is { } token)
                {
                    tokens.Add(token);
                }

                answer = part.Answer ?? answer;
            }
        }
        catch (GranaryException e)
        {
            Fail(verb, context, e, conflicts: keep);
            return;
        }
        finally
        {
            ledger.Note(new ChaosCall(index, verb, context.Name, began, TimeProvider.System.GetTimestamp()));
        }

        var prompt = request.Prompt.TokenIds!;
        if (answer is null || !tokens.Select(static token => token.Index).SequenceEqual(Enumerable.Range(0, tokens.Count)) || !tokens.Select(static token => token.Id).SequenceEqual(answer.TokenIds))
        {
            ledger.Violate($"'{context.Name}': the stream had tokens {string.Join(',', tokens.Select(static token => token.Index))} of {answer?.TokenIds.Length}");
            return;
        }

        ledger.CheckFresh(context, answer.Version!.Value, began);
        ledger.Note(new ChaosAnswer(context, answer.Usage.ContextTokens, prompt, request.Options with { Seed = answer.Seed }, answer.TokenIds));
        if (keep && context.Grown(answer.KeptVersion!.Value, [.. prompt, .. answer.TokenIds], TimeProvider.System.GetTimestamp()) is { } fault)
        {
            ledger.Violate(fault);
        }
    }

    private async Task AppendAsync(ChaosContext context, CancellationToken cancellationToken)
    {
        // No two additions are the same: what is there twice is seen.
        var number = Interlocked.Increment(ref _additions);
        int[] added = [1 + (number / Vocabulary % Vocabulary), 1 + (number % Vocabulary), .. Ids(_random.Next(0, 12))];
        if (await EndAsync("append", context, client.Context(Model, context.Name).AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(added) }, cancellationToken), added) is { } result
            && context.Grown(result.Version, added, TimeProvider.System.GetTimestamp()) is { } fault)
        {
            ledger.Violate(fault);
        }
    }

    private async Task ForkAsync(ChaosContext parent, CancellationToken cancellationToken)
    {
        var (context, began) = (ledger.New(), TimeProvider.System.GetTimestamp());
        if (await EndAsync("fork", parent, client.Context(Model, context.Name).ForkAsync(new ForkRequest { Parent = parent.Name }, cancellationToken)) is { } result)
        {
            ledger.CheckForked(parent, result.Context.Tokens, began);
            context.Forked(parent, result.Context.Tokens, TimeProvider.System.GetTimestamp());
        }
    }

    private Task GetAsync(ChaosContext context, CancellationToken cancellationToken) => CallAsync("get", context, async began =>
    {
        var description = await client.Context(Model, context.Name).GetAsync(cancellationToken);
        ledger.CheckFresh(context, description.Version, began);
    });

    // Neither moves anything but pages.
    private Task MoveAsync(ChaosContext context, CancellationToken cancellationToken) => _random.Next(2) == 0
        ? CallAsync("evict", context, _ => client.Context(Model, context.Name).EvictAsync(cancellationToken))
        : WarmAsync(context, cancellationToken);

    private Task WarmAsync(ChaosContext context, CancellationToken cancellationToken) => CallAsync("warm", context, async began =>
    {
        if ((await client.Context(Model, context.Name).WarmAsync(new WarmRequest(), cancellationToken).LastAsync(cancellationToken)).Result is { } warmed)
        {
            ledger.CheckFresh(context, warmed.Context.Version, began);
        }
        else
        {
            ledger.Violate($"'{context.Name}': a warm-up ended without a result");
        }
    });

    private Task LabelAsync(ChaosContext context, CancellationToken cancellationToken)
    {
        var number = Interlocked.Increment(ref _labels);
        return CallAsync("label", context, async began =>
        {
            context.Labelling(number, began);
            var request = new UpdateContextRequest { SetLabels = { [ChaosContext.Label] = number.ToString(CultureInfo.InvariantCulture) } };
            ledger.CheckFresh(context, (await client.Context(Model, context.Name).UpdateAsync(request, cancellationToken)).Version, began);
            context.Labelled(number, TimeProvider.System.GetTimestamp());
        });
    }

    private async Task ListAsync(CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        try
        {
            var listed = await client.ListContextsAsync(Model, null, cancellationToken).ToDictionaryAsync(static context => context.Context, static context => context.Version, cancellationToken: cancellationToken);
            ledger.CheckListed(listed, began);
        }
        catch (GranaryException e)
        {
            ledger.Violate($"list: {e.Code}, {e.Message}");
        }
        finally
        {
            ledger.Note(new ChaosCall(index, "list", "all", began, TimeProvider.System.GetTimestamp()));
        }
    }

    private async Task CallAsync(string verb, ChaosContext context, Func<long, Task> callAsync)
    {
        var began = TimeProvider.System.GetTimestamp();
        try
        {
            await callAsync(began);
        }
        catch (GranaryException e)
        {
            Fail(verb, context, e, conflicts: false);
        }
        finally
        {
            ledger.Note(new ChaosCall(index, verb, context.Name, began, TimeProvider.System.GetTimestamp()));
        }
    }

    private Task UseDeletedAsync(CancellationToken cancellationToken)
    {
        var deleted = ledger.Contexts.Where(static context => context.Deleted is not null).ToList();
        return deleted.Count == 0 ? Task.CompletedTask : UseAsync(deleted[_random.Next(deleted.Count)]);

        Task UseAsync(ChaosContext context) => _random.Next(4) switch
        {
            0 => AskAsync(context, keep: false, cancellationToken),
            1 => ForkAsync(context, cancellationToken),
            2 => WarmAsync(context, cancellationToken),
            _ => GetAsync(context, cancellationToken),
        };
    }

    private async Task DeleteAsync(ChaosContext context, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        if (!context.BeginDelete(began))
        {
            return;
        }

        try
        {
            if (_random.Next(3) == 0)
            {
                await client.Context(Model, context.Name).UpdateAsync(new UpdateContextRequest { Expiry = ContextExpiry.Now }, cancellationToken);
            }
            else
            {
                await client.Context(Model, context.Name).DeleteAsync(cancellationToken);
            }

            context.EndDelete(TimeProvider.System.GetTimestamp());
        }
        catch (GranaryException e)
        {
            ledger.Violate($"delete of '{context.Name}': {e.Code}, {e.Message}");
        }
        finally
        {
            ledger.Note(new ChaosCall(index, "delete", context.Name, began, TimeProvider.System.GetTimestamp()));
        }
    }

    private async Task<ContextCreated?> EndAsync(string verb, ChaosContext context, IAsyncEnumerable<ContextProgress> stream, int[]? added = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        try
        {
            ContextCreated? result = null;
            await foreach (var progress in stream)
            {
                result = progress.Result ?? result;
            }

            return result;
        }
        catch (GranaryException e)
        {
            if (added is not null)
            {
                context.Unanswered(added);
            }

            Fail(verb, context, e, conflicts: false);
            return null;
        }
        finally
        {
            ledger.Note(new ChaosCall(index, verb, context.Name, began, TimeProvider.System.GetTimestamp()));
        }
    }

    // Whoever asks what another deletes, or keeps where another was quicker, is told so. Anything else is a failure that the SDK should have mended.
    private void Fail(string verb, ChaosContext context, GranaryException error, bool conflicts)
    {
        switch (error.Code)
        {
            case ErrorCodes.ContextNotFound:
                ledger.CheckGone(context, verb);
                break;
            case ErrorCodes.ContextConflict when conflicts || context.IsLeaving:
                break;
            default:
                ledger.Violate($"{verb} of '{context.Name}': {error.Code}, {error.Message}");
                break;
        }
    }

    private int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(1, Vocabulary))];
}
