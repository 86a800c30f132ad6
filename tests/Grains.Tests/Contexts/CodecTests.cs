using System.Text;
using Granary.Contexts;
using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

/// <summary>What a codec changes: the stored bytes, and the answers' bits. That these do not depend on history is SiloHistoryTests' to say.</summary>
[Collection("Engine")]
public sealed class CodecTests(OneSilo plain, CodecSilo silo) : IClassFixture<OneSilo>, IClassFixture<CodecSilo>
{
    private const int Tokens = 600;
    private const long TokenBytes = sizeof(int) * Tokens; // the ids stand in the chunks, too
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 4, IgnoreEos = true, LogProbabilities = true };
    private static readonly TokenInput Prompt = TokenInput.OfTokens(5, 6, 7);

    [Fact]
    public async Task Create_CodecBFloat16_StoresHalfTheKv_AndAnswersWithOtherBits()
    {
        var ids = OneSilo.Ids(Tokens, 3);

        var (stored, answer) = await CreateAndAskAsync(silo, ids);
        var (storedPlain, answerPlain) = await CreateAndAskAsync(plain, ids);

        Assert.All(stored, chunk => Assert.DoesNotContain("F32", Header(chunk), StringComparison.Ordinal));
        Assert.All(stored, chunk => Assert.Contains("\"BF16\"", Header(chunk), StringComparison.Ordinal));
        Assert.Equal(storedPlain.Sum(DataBytes) - TokenBytes, 2 * (stored.Sum(DataBytes) - TokenBytes));
        Assert.NotEqual(answerPlain.Numerics, answer.Numerics);
        Assert.NotEqual(answerPlain.LogProbabilities, answer.LogProbabilities);
        Assert.Equal(answerPlain.LogProbabilities![0], answer.LogProbabilities![0], tolerance: 0.1);
    }

    private static async Task<(List<byte[]> Chunks, Answer Answer)> CreateAndAskAsync(OneSilo host, int[] ids)
    {
        var context = host.Context("codec");
        await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
        var chunks = new List<byte[]>();
        await foreach (var chunk in host.Store.ListAsync("chunks/", TestContext.Current.CancellationToken))
        {
            chunks.Add((await host.Store.FindAsync(chunk.Key, TestContext.Current.CancellationToken))!.Content);
        }

        return (chunks, await OneSilo.EndAsync(context.AskAsync(new AskRequest { Prompt = Prompt, Options = Greedy })));
    }

    private static string Header(byte[] chunk) => Encoding.UTF8.GetString(chunk.AsSpan(8, (int)BitConverter.ToInt64(chunk)));

    private static long DataBytes(byte[] chunk) => chunk.Length - 8 - BitConverter.ToInt64(chunk);
}
