using System.Text;
using Granary.Contexts;
using Granary.DocumentQuestions.Answers;
using Granary.DocumentQuestions.Hosting;
using Granary.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Granary.DocumentQuestions;

/// <summary>The service's requests; its README lists them.</summary>
internal static class DocumentEndpoints
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Adds what the requests need, beside an <see cref="Client.IGranaryClient"/>.</summary>
    public static void AddDocuments(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<DocumentOptions>().BindConfiguration("Documents").ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<DocumentOptions>, DocumentOptionsValidator>();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<Documents>();
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<GranaryProblems>();
    }

    public static void MapDocuments(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages(); // with AddProblemDetails: what the framework refuses has problem details, too
        var documents = app.MapGroup("/documents");
        documents.MapGet("/", ListAsync);
        documents.MapPost("/{name}", AddAsync);
        documents.MapGet("/{name}", GetAsync);
        documents.MapDelete("/{name}", DeleteAsync);
        documents.MapGet("/{name}/questions", AskAsync);
    }

    private static async Task<List<DocumentView>> ListAsync(Documents documents, CancellationToken cancellationToken) =>
        await documents.ListAsync(cancellationToken).Select(DocumentView.Of).ToListAsync(cancellationToken);

    private static async Task<Results<Created<DocumentView>, Ok<DocumentView>>> AddAsync(string name, HttpRequest request, Documents documents, CancellationToken cancellationToken)
    {
        var created = await documents.AddAsync(name, await ReadTextAsync(request, cancellationToken), cancellationToken);
        var view = DocumentView.Of(created.Context);
        return created.Existed ? TypedResults.Ok(view) : TypedResults.Created($"/documents/{name}", view);
    }

    private static async Task<DocumentView> GetAsync(string name, Documents documents, CancellationToken cancellationToken) =>
        DocumentView.Of(await documents.GetAsync(name, cancellationToken));

    private static async Task<NoContent> DeleteAsync(string name, Documents documents, CancellationToken cancellationToken)
    {
        await documents.DeleteAsync(name, cancellationToken);
        return TypedResults.NoContent();
    }

    // The token is the request's: a client that leaves stops the decoding.
    private static async Task<ServerSentEventsResult<object>> AskAsync(string name, string question, Documents documents, CancellationToken cancellationToken)
    {
        // The first update is awaited before the response begins, so that what is refused has its status.
        var updates = await documents.AskAsync(name, question, cancellationToken).StartAsync(cancellationToken);
        return TypedResults.ServerSentEvents(AnswerEvents.OfAsync(updates));
    }

    private static async Task<string> ReadTextAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            using var reader = new StreamReader(request.Body, StrictUtf8);
            return await reader.ReadToEndAsync(cancellationToken);
        }
        catch (DecoderFallbackException e)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "The document is no UTF-8 text.", "Send the text as UTF-8.", e);
        }
    }
}

/// <summary>A document, as the service shows it.</summary>
internal sealed record DocumentView(string Name, int Tokens, long StoredBytes, DateTimeOffset Created)
{
    public static DocumentView Of(ContextDescription context) => new(context.Context, context.Tokens, context.StoredBytes, context.Created);
}
