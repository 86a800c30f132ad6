using Granary.Errors;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;

namespace Granary.DocumentQuestions.Hosting;

/// <summary>Turns Granary's errors into problem details (RFC 9457) with a status of their own, the code and the remedy.</summary>
internal sealed class GranaryProblems(IProblemDetailsService problems) : IExceptionHandler
{
    /// <inheritdoc/>
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var problem = exception switch
        {
            GranaryException error => ProblemOf(error),
            BadHttpRequestException request => new ProblemDetails { Status = request.StatusCode, Detail = request.Message },
            _ => null,
        };
        if (problem is null)
        {
            return false;
        }

        httpContext.Response.StatusCode = problem.Status ?? StatusCodes.Status500InternalServerError;
        return await problems.TryWriteAsync(new ProblemDetailsContext { HttpContext = httpContext, Exception = exception, ProblemDetails = problem });
    }

    /// <summary>Gives the status that says whose turn it is: 4xx the caller's, 5xx the operator's.</summary>
    internal static int StatusOf(string code) => code switch
    {
        ErrorCodes.EmptyInput or ErrorCodes.InvalidArgument or ErrorCodes.InvalidName or ErrorCodes.TokenOutOfVocabulary => StatusCodes.Status400BadRequest,
        ErrorCodes.ContextNotFound or ErrorCodes.DatasetNotFound or ErrorCodes.FileNotFound or ErrorCodes.ModelNotFound or ErrorCodes.SiloNotFound => StatusCodes.Status404NotFound,
        ErrorCodes.ContextConflict or ErrorCodes.ModelSpecConflict => StatusCodes.Status409Conflict,
        ErrorCodes.RequestTooLarge => StatusCodes.Status413PayloadTooLarge,
        ErrorCodes.ContextWindowExceeded or ErrorCodes.KvBudgetExceeded or ErrorCodes.TokenizerMissing => StatusCodes.Status422UnprocessableEntity,
        ErrorCodes.QueueFull => StatusCodes.Status429TooManyRequests,
        ErrorCodes.NoWorker or ErrorCodes.StoreReadOnly or ErrorCodes.StoreUnavailable or ErrorCodes.Unavailable => StatusCodes.Status503ServiceUnavailable,
        ErrorCodes.StoreFull => StatusCodes.Status507InsufficientStorage,
        _ => StatusCodes.Status500InternalServerError,
    };

    private static ProblemDetails ProblemOf(GranaryException error) => new()
    {
        Status = StatusOf(error.Code),
        Title = error.Code,
        Detail = error.Message,
        Extensions = { ["code"] = error.Code, ["remedy"] = error.Remedy },
    };
}
