using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Granary.Samples.Tests.DocumentQuestions;

/// <summary>Asks the service, and reads its events.</summary>
internal static class AnswerReader
{
    /// <summary>Asks; the response is there as soon as its head is.</summary>
    public static Task<HttpResponseMessage> AskAsync(this HttpClient http, string document, string question, CancellationToken cancellationToken) => http.GetAsync(
        new Uri($"/documents/{document}/questions?question={Uri.EscapeDataString(question)}", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    /// <summary>Reads events as they come: their kind, and their data.</summary>
    public static async IAsyncEnumerable<(string Kind, JsonElement Data)> ReadEventsAsync(this HttpResponseMessage response)
    {
        await foreach (var item in SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync())
        {
            yield return (item.EventType, JsonElement.Parse(item.Data));
        }
    }

    /// <summary>Gives a field of an event, or of a problem, as text.</summary>
    public static string? TextOf(this JsonElement data, string field) => data.GetProperty(field).GetString();
}
