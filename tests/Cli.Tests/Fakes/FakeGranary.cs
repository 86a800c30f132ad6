using Granary.Cli.Arguments;
using Granary.Cli.Sessions;
using Granary.Client;
using Granary.Client.Datasets;
using Granary.Client.Silos;
using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Models;
using Granary.Silos;
using Granary.Stores;
using Microsoft.Extensions.Logging;

namespace Granary.Cli.Tests.Fakes;

/// <summary>A client, its session and its factory in one, all in memory: answers are given, requests are kept.</summary>
internal sealed class FakeGranary : IGranarySessions, IGranarySession, IGranaryClient, IGranaryCluster
{
    public static readonly ContextDescription Faq = new()
    {
        Context = "faq",
        Model = "tiny",
        State = "stored",
        Version = 1,
        Tokens = 3,
        Pages = 1,
        StoredBytes = 42,
        Resident = true,
        Created = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Labels = [],
    };

    public Exception? Failure { get; set; }

    public AskRequest? Asked { get; private set; }

    public GenerateRequest? Generated { get; private set; }

    public CreateContextRequest? Created { get; private set; }

    public ForkRequest? Forked { get; private set; }

    public UpdateContextRequest? Updated { get; private set; }

    public DatasetAskRequest? DatasetAsked { get; private set; }

    public (string Id, string Folder, string Dtype)? Loaded { get; private set; }

    public StoreSweepRequest? Swept { get; private set; }

    public DatasetFailure[] Failures { get; set; } = [];

    public IGranaryClient Client => this;

    public IGranaryCluster Cluster => this;

    public Task<IReadOnlyList<SiloDescription>> ListSilosAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<SiloDescription>>(
    [
        new()
        {
            Silo = "silo-1",
            Address = "S127.0.0.1:11111:1",
            State = "serving",
            Role = "both",
            Models = [new SiloModel("tiny", "n1", true)],
            BudgetBytes = 1000,
            ResidentBytes = 42,
            Contexts = 2,
            Streams = 1,
        },
    ]);

    public IAsyncEnumerable<DrainProgress> DrainAsync(string silo, CancellationToken cancellationToken) => new DrainProgress[]
    {
        new(silo, "draining", 2, 1, TimeSpan.Zero),
        new(silo, "draining", 1, 1, TimeSpan.FromSeconds(0.5)),
        new(silo, "drained", 0, 0, TimeSpan.FromSeconds(1)),
        new(silo, "stopped", 0, 0, TimeSpan.FromSeconds(1.5)),
    }.ToAsyncEnumerable();

    public static Answer AnswerOf(GenerationOptions options) => new()
    {
        Context = "faq",
        Model = "tiny",
        Version = 1,
        Numerics = "n1",
        Exact = true,
        Text = " corn é",
        TokenIds = [5, 6],
        LogProbabilities = options.LogProbabilities ? [-0.1, -1e-7] : null,
        TopLogProbabilities = options.TopLogProbabilities > 0 ? [[new TokenAlternative(5, -0.1)], [new TokenAlternative(6, -1e-7)]] : null,
        FinishReason = "length",
        Seed = options.Temperature > 0 ? options.Seed : null,
        Usage = new AnswerUsage(3, 2, 3, 0, 0, 2),
        FirstTokenSeconds = 0.25,
        Plan = new AnswerPlan("resident", "all pages are resident"),
        Seam = "same",
    };

    public Task<IGranarySession> OpenAsync(Settings settings, Action<ILoggingBuilder> logging, CancellationToken cancellationToken) =>
        Failure is { } failure ? throw failure : Task.FromResult<IGranarySession>(this);

    public Task ServeAsync(Settings settings, Action<ILoggingBuilder> logging, Action<string> ready, CancellationToken cancellationToken)
    {
        ready("ready");
        return Task.CompletedTask;
    }

    public Task<int> RunSelfAsync(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Action<string> error, CancellationToken cancellationToken) => Task.FromResult(0);

    public Task LoadModelAsync(string modelId, string folder, string dtype, string codec, CancellationToken cancellationToken)
    {
        Loaded = (modelId, folder, dtype);
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public IGranaryContext Context(string model, string name, string? tenant) => new FakeContext(this, new ContextId(tenant ?? "default", model, name));

    public List<ContextListRequest> Listed { get; } = [];

    public bool Differs { get; set; }

    // Four contexts, at most two a page.
    public Task<ContextPage> ListContextsPageAsync(ContextListRequest request, string? tenant, CancellationToken cancellationToken)
    {
        Listed.Add(request);
        if (request.Model is null && request.Labels.Length == 0)
        {
            return Task.FromResult(new ContextPage([Faq], null));
        }

        var first = request.After is { } after ? int.Parse(after.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture) + 1 : 0;
        var end = Math.Min(4, first + Math.Min(2, request.Limit));
        return Task.FromResult(new ContextPage([.. Enumerable.Range(first, end - first).Select(static i => Faq with { Context = $"{i}" })], end < 4 ? $"tiny/{end - 1}" : null));
    }

    public IAsyncEnumerable<ContextDescription> ListContextsAsync(string? model, string? tenant, CancellationToken cancellationToken) => new[] { Faq }.ToAsyncEnumerable();

    public IAsyncEnumerable<AnswerPart> GenerateAsync(string model, GenerateRequest request, string? tenant, CancellationToken cancellationToken)
    {
        Generated = request;
        return Parts(request.Options);
    }

    public IGranaryDataset Dataset(string name, string? tenant) => new FakeDataset(this, new DatasetId(tenant ?? "default", name));

    public IGranaryStore Store(string? tenant) => new FakeStore(this);

    public Task<IReadOnlyList<ModelDescription>> ListModelsAsync(string? tenant, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<ModelDescription>>([]);

    private static IAsyncEnumerable<AnswerPart> Parts(GenerationOptions options) => new AnswerPart[]
    {
        new(new AnswerToken(0, 5, " corn", options.LogProbabilities ? -0.1 : null), null),
        new(new AnswerToken(1, 6, " é", options.LogProbabilities ? -1e-7 : null), null),
        new(null, AnswerOf(options)),
    }.ToAsyncEnumerable();

    private sealed class FakeContext(FakeGranary granary, ContextId id) : IGranaryContext
    {
        public ContextId Id => id;

        public IAsyncEnumerable<ContextProgress> CreateAsync(CreateContextRequest request, CancellationToken cancellationToken)
        {
            granary.Created = request;
            return new ContextProgress[]
            {
                new(ContextStage.Accepted, 0, 3),
                new(ContextStage.Stored, 3, 3, new ContextCreated(Faq with { TruncatedTokens = 4 }, false, 3, 0, 42, 0.1, "n1", true, 1)),
            }.ToAsyncEnumerable();
        }

        public IAsyncEnumerable<ContextProgress> ForkAsync(ForkRequest request, CancellationToken cancellationToken)
        {
            granary.Forked = request;
            return new ContextProgress[]
            {
                new(ContextStage.Stored, 3, 3, new ContextCreated(Faq with { Context = id.Name, Parent = request.Parent }, false, 0, 3, 0, 0, "n1", true, 1)),
            }.ToAsyncEnumerable();
        }

        public IAsyncEnumerable<ContextProgress> AppendAsync(AppendRequest request, CancellationToken cancellationToken) => new ContextProgress[]
        {
            new(ContextStage.Stored, 4, 4, new ContextCreated(Faq with { Version = 2 }, false, 4, 0, 42, 0.1, "n1", true, 2)),
        }.ToAsyncEnumerable();

        public Task<ContextDescription> GetAsync(CancellationToken cancellationToken) => Task.FromResult(Faq);

        public IAsyncEnumerable<AnswerPart> AskAsync(AskRequest request, CancellationToken cancellationToken)
        {
            granary.Asked = request;
            return Parts(request.Options);
        }

        public Task<IReadOnlyList<ScoreResult>> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ScoreResult>>([.. request.Continuations.Select(static input => new ScoreResult(input.TokenIds ?? [], [-0.5, -0.25], -0.75, "n1", true))]);

        public Task<ContextDescription> UpdateAsync(UpdateContextRequest request, CancellationToken cancellationToken)
        {
            granary.Updated = request;
            return Task.FromResult(Faq with { Labels = request.SetLabels, PinnedUntil = request.Pin?.Until, TimeToLive = request.Expiry is { RefreshOnHit: true, TimeToLive: var life } ? life : null });
        }

        public IAsyncEnumerable<WarmProgress> WarmAsync(WarmRequest request, CancellationToken cancellationToken) => new WarmProgress[]
        {
            new(0, 3),
            new(3, 3, new ContextWarmed(Faq, 0, 3, 0, new AnswerPlan("load", request.Plan.ToString()), 0.25, "n1", true)),
        }.ToAsyncEnumerable();

        public IAsyncEnumerable<VerifyProgress> VerifyAsync(CancellationToken cancellationToken) => new VerifyProgress[]
        {
            new(3, 6),
            new(6, 6, new ContextVerified
            {
                Context = Faq,
                Equal = !granary.Differs,
                Pages = 2,
                EqualPages = granary.Differs ? 0 : 2,
                Faults = granary.Differs ? [new VerifiedPage(0, 0, 2, "differs", new PageDifference(5, 1, "key", 2, 1, 3, double.PositiveInfinity)), new VerifiedPage(1, 2, 1, "absent")] : [],
                ProbeTokens = granary.Differs ? 0 : 16,
                ProbeEqual = granary.Differs ? null : true,
                Numerics = "n1",
                Exact = true,
                Tolerance = 0,
                Seconds = 0.5,
            }),
        }.ToAsyncEnumerable();

        public Task<bool> EvictAsync(CancellationToken cancellationToken) => Task.FromResult(true);

        public Task DeleteAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class FakeStore(FakeGranary granary) : IGranaryStore
    {
        public IAsyncEnumerable<StoreCheckStatus> CheckAsync(bool repair, CancellationToken cancellationToken) => new StoreCheckStatus[]
        {
            new(1, 2),
            new(2, 2, new StoreCheckResult(1, 1, 42, 1, repair ? 1 : 0, [new StoreFaultDescription("chunks/default/f/n/ab/abc.safetensors", "chunk", "checksum", "tiny/faq", repair)])),
        }.ToAsyncEnumerable();

        public IAsyncEnumerable<StoreSweepStatus> SweepAsync(StoreSweepRequest request, CancellationToken cancellationToken)
        {
            granary.Swept = request;
            return new StoreSweepStatus[]
            {
                new(3, 3, new StoreSweepResult
                {
                    Contexts = 1, Expired = 2, Tombstones = 3, Chunks = 4, ChunkBytes = 50, UnreferencedChunks = 2, UnreferencedBytes = 20, DeletedChunks = 1, DeletedBytes = 10, Unreadable = [],
                    TokenBlobs = 3, TokenBlobBytes = 30, UnreferencedTokenBlobs = 2, UnreferencedTokenBlobBytes = 16, DeletedTokenBlobs = 1, DeletedTokenBlobBytes = 8,
                }),
            }.ToAsyncEnumerable();
        }
    }

    private sealed class FakeDataset(FakeGranary granary, DatasetId id) : IGranaryDataset
    {
        public DatasetId Id => id;

        private DatasetStatus Status => new()
        {
            Dataset = id.Name,
            Model = "tiny",
            Items = 2 + granary.Failures.Length,
            Done = 1,
            Failed = granary.Failures.Length,
            Skipped = 1,
            PrefilledTokens = 9,
            StoredBytes = 42,
            Seconds = 1.5,
            Failures = granary.Failures,
            Ended = true,
        };

        public IAsyncEnumerable<DatasetStatus> PrecomputeAsync(DatasetSource source, string model, string? modelFolder, CancellationToken cancellationToken) =>
            new[] { Status with { Ended = false }, Status }.ToAsyncEnumerable();

        public IAsyncEnumerable<DatasetEstimate> EstimateAsync(DatasetSource source, string model, CancellationToken cancellationToken)
        {
            var all = new DatasetEstimate
            {
                Items = 2,
                Done = 2,
                Failed = granary.Failures.Length,
                Failures = granary.Failures,
                Tokens = 600,
                Pages = 4,
                DistinctPages = 3,
                StoredPages = 1,
                PrefillTokens = 300,
                StoreBytes = 1_000,
                ResidentBytes = 2_000,
                Seconds = 0.5,
            };
            return new[] { all with { Done = 1, Failed = 0, Failures = [] }, all }.ToAsyncEnumerable();
        }

        public Task<DatasetStatus> GetStatusAsync(CancellationToken cancellationToken) =>
            id.Name == "none" ? throw new GranaryException(ErrorCodes.DatasetNotFound, "no 'none'", "precompute it") : Task.FromResult(Status);

        public IAsyncEnumerable<DatasetAnswer> AskAsync(DatasetAskRequest request, CancellationToken cancellationToken)
        {
            granary.DatasetAsked = request;
            return new DatasetAnswer[]
            {
                new("i1", new DatasetQuestion("q1", "What?", ["corn"]), AnswerOf(request.Options), null),
            }.ToAsyncEnumerable();
        }
    }
}
