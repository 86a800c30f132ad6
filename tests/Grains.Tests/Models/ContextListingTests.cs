using System.Buffers;
using Granary.Contexts;
using Granary.Errors;
using Granary.Grains.Tests.Hosting;
using Granary.Models;
using Granary.Storage.Manifests;
using Granary.Storage.Objects;

namespace Granary.Grains.Tests.Models;

/// <summary>Listing in pages that no silo remembers.</summary>
[Collection("Engine")]
public sealed class ContextListingTests(OneSilo silo) : IClassFixture<OneSilo>
{
    private const int Count = 70;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ListContextsPageAsync_AnyPageSize_GivesAllInOrderOnce()
    {
        await FillAsync("pages", Count);
        await PutAsync("contexts/pages/ledger-4m/c-033.json", "{}");
        var expected = Enumerable.Range(0, Count).Select(static i => $"c-{i:000}").ToArray();
        foreach (var limit in new[] { 1, 7, 16, 70, 1000 })
        {
            var found = await ListAllAsync("pages", new ContextListRequest { Limit = limit });
            Assert.Equal(expected, found.Select(static context => context.Context));
            Assert.Equal(["c-033"], found.Where(static context => context.State == "invalid").Select(static context => context.Context));
            Assert.All(found.Where(static context => context.State != "invalid"), static context => Assert.Equal(5, context.Tokens));
        }
    }

    [Fact]
    public async Task ListContextsPageAsync_Labels_SelectByKeyAndByValueAndModel()
    {
        await FillAsync("labels", Count);
        Assert.Equal(Count, (await ListAllAsync("labels", new ContextListRequest { Labels = ["n"], Limit = 9 })).Count);
        Assert.Equal(["c-010"], (await ListAllAsync("labels", new ContextListRequest { Labels = ["n=10", "even"], Limit = 9 })).Select(static context => context.Context));
        Assert.Empty(await ListAllAsync("labels", new ContextListRequest { Labels = ["n=11", "even"] }));
        Assert.Equal(Count / 2, (await ListAllAsync("labels", new ContextListRequest { Model = "ledger-4m", Labels = ["even="], Limit = 4 })).Count);
        Assert.Empty(await ListAllAsync("labels", new ContextListRequest { Model = "ledger-5m" }));
        Assert.Empty(await ListAllAsync("nobody", new ContextListRequest()));
    }

    [Fact]
    public async Task ListContextsPageAsync_NamesComeAndGoBetweenPages_GoesOnBehindTheLast()
    {
        await FillAsync("moving", 6);
        var page = await PageAsync("moving", new ContextListRequest { Limit = 3 });
        await silo.Store.DeleteAsync("contexts/moving/ledger-4m/c-002.json", Precondition.None, Stopping);
        await silo.Store.DeleteAsync("contexts/moving/ledger-4m/c-003.json", Precondition.None, Stopping);
        await silo.DeactivateAllAsync();

        var next = await PageAsync("moving", new ContextListRequest { Limit = 3, After = page.Continuation });

        Assert.Equal("ledger-4m/c-002", page.Continuation);
        Assert.Equal(["c-004", "c-005"], next.Items.Select(static context => context.Context));
        Assert.Null(next.Continuation);
    }

    [Fact]
    public async Task ListContextsPageAsync_WhatCannotBe_IsRefused()
    {
        ContextListRequest[] wrong =
        [
            new() { Limit = 0 }, new() { Limit = 1001 }, new() { After = "x" }, new() { After = "a/b/c" }, new() { Labels = ["=x"] }, new() { Labels = [""] },
        ];
        foreach (var request in wrong)
        {
            Assert.Equal(ErrorCodes.InvalidArgument, (await Assert.ThrowsAsync<GranaryException>(() => PageAsync("default", request))).Code);
        }

        Assert.Equal(ErrorCodes.InvalidName, (await Assert.ThrowsAsync<GranaryException>(() => PageAsync("default", new ContextListRequest { After = "../x" }))).Code);
    }

    private async Task FillAsync(string tenant, int count)
    {
        var manifests = new ManifestStore(silo.Store, mostInlineTokenIds: 4);
        foreach (var i in Enumerable.Range(0, count))
        {
            var now = DateTimeOffset.UnixEpoch;
            var labels = new Dictionary<string, string> { ["n"] = $"{i}" };
            if (i % 2 == 0)
            {
                labels["even"] = "";
            }

            await manifests.CommitAsync(
                new ContextManifest
                {
                    Tenant = tenant,
                    Model = "ledger-4m",
                    Name = $"c-{i:000}",
                    Incarnation = Guid.NewGuid().ToString("N"),
                    Version = 1,
                    State = ManifestStates.Stored,
                    Fingerprint = "f",
                    TokenIds = [1, 2, 3, 4, i],
                    Created = now,
                    Updated = now,
                    Labels = labels,
                },
                null,
                Stopping);
        }
    }

    private async Task PutAsync(string key, string text) =>
        await silo.Store.PutAsync(key, new ReadOnlySequence<byte>(System.Text.Encoding.UTF8.GetBytes(text)), Precondition.None, Stopping);

    private Task<ContextPage> PageAsync(string tenant, ContextListRequest request) => silo.Grains.GetGrain<ICatalogGrain>(tenant).ListContextsPageAsync(request, Stopping);

    private async Task<List<ContextDescription>> ListAllAsync(string tenant, ContextListRequest request)
    {
        var all = new List<ContextDescription>();
        for (var after = request.After; ;)
        {
            var page = await PageAsync(tenant, request with { After = after });
            Assert.InRange(page.Items.Length, 0, request.Limit);
            all.AddRange(page.Items);
            after = page.Continuation;
            if (after is null)
            {
                return all;
            }
        }
    }
}
