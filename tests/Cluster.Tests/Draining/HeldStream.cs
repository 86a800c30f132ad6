using Granary.Client;
using Granary.Contexts;

namespace Granary.Cluster.Tests.Draining;

/// <summary>An answer whose caller has read the first token and takes its time.</summary>
internal sealed class HeldStream : IAsyncDisposable
{
    /// <summary>How many tokens it has.</summary>
    public const int Tokens = 200;

    private readonly IAsyncEnumerator<AnswerPart> _parts;
    private readonly List<int> _ids = [];

    private HeldStream(IAsyncEnumerator<AnswerPart> parts) => _parts = parts;

    /// <summary>Asks, and reads one token.</summary>
    public static async Task<HeldStream> OpenAsync(IGranaryContext context, CancellationToken cancellationToken, GenerationOptions? options = null)
    {
        var request = new AskRequest { Prompt = TokenInput.OfTokens(7, 8, 9), Options = options ?? new GenerationOptions { MaxNewTokens = Tokens, IgnoreEos = true } };
        var stream = new HeldStream(context.AskAsync(request, cancellationToken).GetAsyncEnumerator(cancellationToken));
        await stream.ReadAsync();
        return stream;
    }

    /// <summary>Reads the rest: the answer, whose tokens are those that were streamed.</summary>
    public async Task<Answer> EndAsync()
    {
        Answer? answer = null;
        while (await ReadAsync() is { } part)
        {
            answer = part.Answer ?? answer;
        }

        Assert.NotNull(answer);
        Assert.Equal(_ids, answer.TokenIds);
        return answer;
    }

    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    private async Task<AnswerPart?> ReadAsync()
    {
        if (!await _parts.MoveNextAsync())
        {
            return null;
        }

        if (_parts.Current.Token is { } token)
        {
            _ids.Add(token.Id);
        }

        return _parts.Current;
    }
}
