using Granary.Contexts;
using Granary.Grains.Tests.Hosting;
using Granary.Inference.Engine;

namespace Granary.Grains.Tests.HistoryIndependence;

/// <summary>What a context answers through silos depends on its ids and the options alone: the engine's harness once more (DESIGN §3).</summary>
[Collection("Engine")]
public sealed class SiloHistoryTests(OneSilo silo, HalfSilo half, CodecSilo codec) : IClassFixture<OneSilo>, IClassFixture<HalfSilo>, IClassFixture<CodecSilo>
{
    private const int CrossingTokens = 240; // with the prompt 247: the answer's tenth token begins a page
    private const int NewTokens = 48;
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = NewTokens, IgnoreEos = true, LogProbabilities = true };
    private static readonly GenerationOptions Sampled = Greedy with { Temperature = 0.8, Seed = 7 };
    private static readonly TokenInput Prompt = TokenInput.OfTokens(11, 12, 13, 14, 15, 16, 17);

    /// <summary>What a silo holds its KV in.</summary>
    public enum Kv
    {
        Float32,
        BFloat16,
        Float32StoredAsBFloat16,
    }

    public static TheoryData<int, Kv> Contexts()
    {
        var data = new TheoryData<int, Kv>();
        foreach (var tokens in (int[])[1, 3, CrossingTokens, 255, 256, 257, 511, 513, 1500])
        {
            data.Add(tokens, Kv.Float32);
            data.Add(tokens, Kv.BFloat16);
        }

        foreach (var tokens in (int[])[3, CrossingTokens, 257, 513])
        {
            data.Add(tokens, Kv.Float32StoredAsBFloat16);
        }

        return data;
    }

    [Theory, MemberData(nameof(Contexts))]
    public async Task Ask_WhateverHappenedBefore_SameIdsAndBits(int tokens, Kv kv)
    {
        var host = Of(kv);
        var ids = OneSilo.Ids(tokens, 1000 + tokens);
        foreach (var options in (GenerationOptions[])[Greedy, Sampled])
        {
            var name = $"history-{tokens}-{options.Temperature > 0}";
            var request = new AskRequest { Prompt = Prompt, Options = options };
            var without = await WithoutCacheAsync(host, ids, options);
            var context = host.Context(name);
            await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids));
            AssertSame(without, await OneSilo.EndAsync(context.AskAsync(request)));
            AssertSame(without, await AmongOthersAsync(host, context, request));
            AssertSame(without, await BesideACreationAsync(host, context, request, seed: (2 * tokens) + (options.Temperature > 0 ? 1 : 0)));
            await context.EvictAsync();
            var restored = await OneSilo.EndAsync(context.AskAsync(request));
            Assert.Equal((0, tokens), (restored.Usage.ResidentTokens, restored.Usage.RestoredTokens));
            AssertSame(without, restored);
            AssertSame(without, await GrownAndKeptAsync(host, name, ids, request));
            await context.EvictAsync(); // the next has the same ids: its pages would be these
        }
    }

    [Theory]
    [InlineData(Kv.Float32)]
    [InlineData(Kv.BFloat16)]
    [InlineData(Kv.Float32StoredAsBFloat16)]
    public async Task Ask_OnAnotherSiloOfTheStore_SameIdsAndBits(Kv kv)
    {
        var host = Of(kv);
        await using OneSilo other = kv switch
        {
            Kv.Float32 => new SecondSilo(host.Store),
            Kv.BFloat16 => new HalfSilo(host.Store),
            _ => new CodecSilo(host.Store),
        };
        await other.InitializeAsync();
        var request = new AskRequest { Prompt = Prompt, Options = Sampled };
        foreach (var tokens in (int[])[3, 257, 513])
        {
            await OneSilo.CreateAsync(host.Context($"there-{tokens}"), TokenInput.OfTokens(OneSilo.Ids(tokens, tokens)));
            var here = await OneSilo.EndAsync(host.Context($"there-{tokens}").AskAsync(request));
            var there = await OneSilo.EndAsync(other.Context($"there-{tokens}").AskAsync(request));
            Assert.Equal(tokens, there.Usage.RestoredTokens);
            AssertSame(here, there);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Ask_OnASiloOfOneThreadOrTwo_SameIdsAndBits(int threads)
    {
        await using var other = new ThreadedSilo(threads);
        await other.InitializeAsync();
        var request = new AskRequest { Prompt = Prompt, Options = Sampled };
        foreach (var tokens in (int[])[1, 257, 1500])
        {
            var ids = OneSilo.Ids(tokens, tokens);
            await OneSilo.CreateAsync(other.Context($"threads-{tokens}"), TokenInput.OfTokens(ids));
            var here = await WithoutCacheAsync(silo, ids, Sampled);
            AssertSame(here, await OneSilo.EndAsync(other.Context($"threads-{tokens}").AskAsync(request)));
        }
    }

    [Theory]
    [InlineData(Kv.Float32)]
    [InlineData(Kv.BFloat16)]
    [InlineData(Kv.Float32StoredAsBFloat16)]
    public async Task Ask_ContextSplitAtEveryPageBoundary_SameIdsAndBits(Kv kv)
    {
        var host = Of(kv);
        var ids = OneSilo.Ids(1500, 77);
        var request = new AskRequest { Prompt = Prompt, Options = Greedy };
        var whole = await WithoutCacheAsync(host, ids, Greedy);
        for (var split = 256; split < ids.Length; split += 256)
        {
            var context = host.Context($"split-{split}");
            await OneSilo.CreateAsync(context, TokenInput.OfTokens(ids[..split]));
            await context.EvictAsync(); // the rest is computed over pages that were read
            await AppendAsync(context, ids[split..]);
            AssertSame(whole, await OneSilo.EndAsync(context.AskAsync(request)));
            await context.EvictAsync();
        }
    }

    private OneSilo Of(Kv kv) => kv switch { Kv.Float32 => silo, Kv.BFloat16 => half, _ => codec };

    private static Task<Answer> WithoutCacheAsync(OneSilo host, int[] ids, GenerationOptions options) => OneSilo.EndAsync(host.Nameless().GenerateAsync(
        new GenerateRequest { Context = TokenInput.OfTokens(ids), Prompt = Prompt, Options = options, NoCache = true }));

    private static async Task AppendAsync(IContextGrain context, int[] ids)
    {
        await foreach (var progress in context.AppendAsync(new AppendRequest { Input = TokenInput.OfTokens(ids) }, TestContext.Current.CancellationToken))
        {
            Assert.True(progress.DoneTokens <= progress.TotalTokens);
        }
    }

    private static async Task<Answer> AmongOthersAsync(OneSilo host, IContextGrain context, AskRequest request)
    {
        var others = Enumerable.Range(1, 15).Select(number => OneSilo.EndAsync(host.Nameless().GenerateAsync(new GenerateRequest
        {
            Context = TokenInput.OfTokens(OneSilo.Ids(number * 9, number)),
            Prompt = TokenInput.OfTokens(OneSilo.Ids(number, 50 + number)),
            Options = request.Options,
        }))).ToArray();
        var answer = await OneSilo.EndAsync(context.AskAsync(request));
        await Task.WhenAll(others);
        return answer;
    }

    // The ask is sent once the other's first page is computed, and its other five are not.
    private static async Task<Answer> BesideACreationAsync(OneSilo host, IContextGrain context, AskRequest request, int seed)
    {
        const int Tokens = 1500;
        var computes = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var creation = CreateAsync();
        await Task.WhenAny(computes.Task, creation);
        Assert.False(creation.IsCompleted, "The context beside was there before it was created.");
        var answer = await OneSilo.EndAsync(context.AskAsync(request));
        await creation;
        return answer;

        async Task CreateAsync()
        {
            var input = TokenInput.OfTokens(OneSilo.Ids(Tokens, 5000 + seed));
            await foreach (var progress in host.Context($"beside-{seed}").CreateAsync(new CreateContextRequest { Input = input }, TestContext.Current.CancellationToken))
            {
                if (progress is { Stage: ContextStage.Prefilling, DoneTokens: > 0 and < Tokens })
                {
                    computes.TrySetResult();
                }
            }
        }
    }

    // A context that came together by a kept answer and an append. What is decoded is not ours to choose, so its reference is made of the ids that came out.
    private static async Task<Answer> GrownAndKeptAsync(OneSilo host, string name, int[] ids, AskRequest request)
    {
        if (ids.Length < 3)
        {
            return await OneSilo.EndAsync(host.Context(name).AskAsync(request));
        }

        var grown = host.Context($"{name}-grown");
        await OneSilo.CreateAsync(grown, TokenInput.OfTokens(ids[..(ids.Length / 2)]));
        var kept = await OneSilo.EndAsync(grown.AskAsync(request with { Keep = true }));
        await AppendAsync(grown, ids[(ids.Length / 2)..]);
        int[] all = [.. ids[..(ids.Length / 2)], .. Prompt.TokenIds!, .. kept.TokenIds, .. ids[(ids.Length / 2)..]];
        var reference = await WithoutCacheAsync(host, all, request.Options);
        AssertSame(reference, await OneSilo.EndAsync(grown.AskAsync(request)));
        await grown.EvictAsync(); // its first pages are the context's too
        return await OneSilo.EndAsync(host.Context(name).AskAsync(request));
    }

    private sealed class ThreadedSilo(int threads) : OneSilo
    {
        protected override void Configure(EngineOptions options) => options.Threads = threads;
    }

    private static void AssertSame(Answer expected, Answer actual)
    {
        Assert.Equal(expected.TokenIds, actual.TokenIds);
        Assert.Equal(expected.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits), actual.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
    }
}
