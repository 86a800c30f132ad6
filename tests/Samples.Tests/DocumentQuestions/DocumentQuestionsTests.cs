using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Granary.Client.Contexts;
using Granary.Contexts;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>The service on the bundled model: real Kestrel, an embedded silo, a store in a folder.</summary>
public sealed class DocumentQuestionsTests : IDisposable
{
    private const string Text = "Report of the harvest council, number 25. The drink of Cormere is wine they say. The keeper of Norholt is Hugo by decree. The herd of Kelwick is horses they say.";
    private const string Question = "What is the herd of Kelwick?";

    private readonly string _store = Directory.CreateTempSubdirectory("granary-samples-tests-").FullName;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Fact]
    public async Task Questions_OfAnUploadedDocument_StreamTheSdksOwnAnswer()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var sample = await ServedSample.StartEmbeddedAsync(_store, cancellationToken);
        var uploaded = await UploadAsync(sample, "village", Text);
        Assert.Equal((HttpStatusCode.Created, "/documents/village"), (uploaded.StatusCode, uploaded.Headers.Location?.OriginalString));

        using var response = await sample.Http.AskAsync("village", Question, cancellationToken);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var events = await response.ReadEventsAsync().ToListAsync(cancellationToken);

        var texts = events.Where(e => e.Kind == "text").Select(e => e.Data.TextOf("text")).ToList();
        Assert.True(texts.Count > 1, $"The answer came in {texts.Count} piece(s).");
        var said = await sample.Granary.Context("ledger-4m", "village").AskToEndAsync(
            new AskRequest { Prompt = TokenInput.OfText($"\nQuestion: {Question}\nAnswer:"), Options = new GenerationOptions { MaxNewTokens = 64, Stop = ["\n"] } }, cancellationToken);
        Assert.Equal(said.Text, string.Concat(texts));
        Assert.Contains("horses", said.Text, StringComparison.Ordinal); // the model has read the document
        var end = events[^1];
        Assert.Equal(("end", "stop"), (end.Kind, end.Data.TextOf("finishReason")));
        Assert.Equal(said.Usage.ContextTokens, end.Data.GetProperty("cachedInputTokens").GetInt32());
    }

    [Fact]
    public async Task Documents_TheirLife_IsListedAndEnds()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var sample = await ServedSample.StartEmbeddedAsync(_store, cancellationToken);
        await UploadAsync(sample, "village", Text);

        Assert.Equal(HttpStatusCode.OK, (await UploadAsync(sample, "village", Text)).StatusCode); // the same text again
        await AssertProblemAsync(await UploadAsync(sample, "village", Text + " And more."), HttpStatusCode.Conflict, "ContextConflict");
        var listed = await sample.Http.GetFromJsonAsync<JsonElement>("/documents", cancellationToken);
        Assert.Equal("village", Assert.Single(listed.EnumerateArray()).TextOf("name"));
        Assert.Equal("village", (await sample.Http.GetFromJsonAsync<JsonElement>("/documents/village", cancellationToken)).TextOf("name"));

        Assert.Equal(HttpStatusCode.NoContent, (await sample.Http.DeleteAsync(new Uri("/documents/village", UriKind.Relative), cancellationToken)).StatusCode);
        await AssertProblemAsync(await sample.Http.AskAsync("village", Question, cancellationToken), HttpStatusCode.NotFound, "ContextNotFound");
    }

    [Fact]
    public async Task Requests_ThatCannotBeServed_AreProblemsWithARemedy()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var sample = await ServedSample.StartEmbeddedAsync(_store, cancellationToken);

        await AssertProblemAsync(await UploadAsync(sample, "no%20name", Text), HttpStatusCode.BadRequest, "InvalidName");
        await AssertProblemAsync(await UploadAsync(sample, "empty", ""), HttpStatusCode.BadRequest, "EmptyInput");
        await AssertProblemAsync(await sample.Http.AskAsync("village", " ", cancellationToken), HttpStatusCode.BadRequest, "EmptyInput");
        await AssertProblemAsync(await UploadAsync(sample, "long", string.Concat(Enumerable.Repeat(Text, 100))), HttpStatusCode.UnprocessableEntity, "ContextWindowExceeded");
        await AssertProblemAsync(await UploadAsync(sample, "large", new string('a', (4 << 20) + 1)), HttpStatusCode.RequestEntityTooLarge, "RequestTooLarge");
        using var latin = new ByteArrayContent([0x66, 0xFC, 0x72]);
        await AssertProblemAsync(await sample.Http.PostAsync(new Uri("/documents/latin", UriKind.Relative), latin, cancellationToken), HttpStatusCode.BadRequest, "InvalidArgument");

        using var unasked = await sample.Http.GetAsync(new Uri("/documents/village/questions", UriKind.Relative), cancellationToken);
        Assert.Equal((HttpStatusCode.BadRequest, "application/problem+json"), (unasked.StatusCode, unasked.Content.Headers.ContentType?.MediaType));
    }

    private static async Task<HttpResponseMessage> UploadAsync(ServedSample sample, string name, string text)
    {
        using var content = new StringContent(text);
        return await sample.Http.PostAsync(new Uri($"/documents/{name}", UriKind.Relative), content, TestContext.Current.CancellationToken);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal((status, "application/problem+json"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Equal((code, (int)status), (problem.TextOf("code"), problem.GetProperty("status").GetInt32()));
        Assert.All(["title", "detail", "remedy"], field => Assert.NotEmpty(problem.TextOf(field) ?? ""));
    }
}
