using System.Net.Sockets;
using Azure;
using Azure.Identity;
using Azure.Storage.Blobs.Models;
using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>Turns what Azure and the network say into errors that name the account's host and container, and no secret.</summary>
internal static class AzureFaults
{
    /// <summary>Gets the error for an exception, or <see langword="null"/> where it is not the service's.</summary>
    public static StorageException? Find(Exception exception, string description, bool writing, CancellationToken cancellationToken) => exception switch
    {
        RequestFailedException { Status: 403 } e when writing && e.ErrorCode is "AuthorizationPermissionMismatch" or "AuthorizationFailure" => new(
            StorageErrorCodes.StoreReadOnly,
            $"The store '{description}' refuses writes: {e.ErrorCode}.",
            "Give this identity the role 'Storage Blob Data Contributor' on the container, or use a key that may write.",
            e),
        RequestFailedException { Status: 401 or 403 } e => new(
            StorageErrorCodes.StoreUnavailable,
            $"The store '{description}' refuses this identity: {e.ErrorCode}.",
            "Check the connection string's key, or that this identity may use the container; check this machine's clock.",
            e),
        AuthenticationFailedException e => new(
            StorageErrorCodes.StoreUnavailable,
            $"No Azure identity was found for the store '{description}'.",
            "Sign in (az login), set AZURE_CLIENT_ID and its companions, or give a connection string.",
            e),
        RequestFailedException { Status: > 0 } e => new(
            StorageErrorCodes.StoreUnavailable,
            $"The store '{description}' answered {e.Status} {e.ErrorCode}.",
            "Try again; if it stays so, look at the account's state.",
            e),
        RequestFailedException or AggregateException or HttpRequestException or SocketException => Silent(description, exception),
        IOException and not EndOfStreamException => Silent(description, exception),
        OperationCanceledException when !cancellationToken.IsCancellationRequested => Silent(description, exception), // the SDK's own timeout
        _ => null,
    };

    /// <summary>Whether a conditional request was refused by its condition.</summary>
    public static bool IsRefusal(RequestFailedException e) =>
        e.Status == 412 || e.ErrorCode == BlobErrorCode.BlobAlreadyExists || e.ErrorCode == BlobErrorCode.ConditionNotMet;

    /// <summary>Whether there is no such blob; a container that nobody has written to yet holds none.</summary>
    public static bool IsAbsent(RequestFailedException e) =>
        e.Status == 404 && (e.ErrorCode == BlobErrorCode.BlobNotFound || e.ErrorCode == BlobErrorCode.ContainerNotFound);

    private static StorageException Silent(string description, Exception exception) => new(
        StorageErrorCodes.StoreUnavailable,
        $"The store '{description}' does not answer.",
        "Check the account's name, the network and the proxy; contexts that are resident go on being served.",
        exception);
}
