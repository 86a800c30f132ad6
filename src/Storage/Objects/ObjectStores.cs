using Azure.Core;
using Azure.Identity;
using Azure.Storage.Blobs;
using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>Opens the store that a setting names.</summary>
public static class ObjectStores
{
    private const string DefaultContainer = "granary";

    // Azurite 3.37 answers 400 to versions after this one, and nothing newer is needed (measured 2026-11).
    private const BlobClientOptions.ServiceVersion Version = BlobClientOptions.ServiceVersion.V2026_06_06;

    private static readonly string[] ConnectionStringMarks = ["DefaultEndpointsProtocol=", "AccountName=", "BlobEndpoint=", "UseDevelopmentStorage="];

    /// <summary>Opens a store. No request is made to Azure yet; a container is created by the first write.</summary>
    /// <param name="location">
    /// A folder's path; an Azure connection string, with <c>;Container=name;Prefix=p</c> where they are not <c>granary</c> and empty;
    /// <c>https://account.blob.core.windows.net/container[/prefix]</c> (or <c>https://IP[:PORT]/account/container[/prefix]</c>), with the identity that <c>DefaultAzureCredential</c> finds; or <c>memory://</c>, for tests.
    /// </param>
    /// <param name="time">Gives folders and memory their times.</param>
    /// <returns>The store.</returns>
    /// <exception cref="StorageException">
    /// <c>InvalidArgument</c>: the location is of no such form; correct it. <c>StoreUnavailable</c>: the path is a file or cannot be created; give another.
    /// </exception>
    public static IObjectStore Open(string location, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(location);
        ArgumentNullException.ThrowIfNull(time);
        if (string.IsNullOrWhiteSpace(location))
        {
            throw Invalid("The store's location is empty.");
        }

        if (ConnectionStringMarks.Any(mark => location.Contains(mark, StringComparison.OrdinalIgnoreCase)))
        {
            return OpenConnectionString(location);
        }

        var scheme = location.IndexOf("://", StringComparison.Ordinal);
        return (scheme < 0 ? "" : location[..scheme].ToLowerInvariant()) switch
        {
            "" => new FolderObjectStore(ExpandHome(location), time),
            "memory" => new InMemoryObjectStore(time),
            "https" => OpenUrl(location),
            var other => throw Invalid($"No store is known at '{other}://'."),
        };
    }

    /// <summary>Opens a store in an Azure account by a connection string.</summary>
    private static AzureObjectStore OpenConnectionString(string location)
    {
        var parts = location.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var container = ValueOf(parts, "Container=") ?? DefaultContainer;
        var prefix = (ValueOf(parts, "Prefix=") ?? "").Trim('/');
        var account = string.Join(';', parts.Where(part => !IsOwn(part, "Container=") && !IsOwn(part, "Prefix=")));
        CheckContainer(container);
        try
        {
            return new AzureObjectStore(new BlobContainerClient(account, container, ClientOptions()), prefix);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException)
        {
            throw Invalid("The store's connection string cannot be read."); // neither it nor the SDK's words are shown: they hold the key
        }
    }

    private static AzureObjectStore OpenUrl(string location)
    {
        if (!Uri.TryCreate(location, UriKind.Absolute, out var url) || url.Query.Length > 0 || url.UserInfo.Length > 0)
        {
            throw Invalid("The store's address cannot be read, or has a query or a user.");
        }

        // A host that is an IP address, as an emulator's or a private endpoint's, has the account in front of the path.
        var address = new BlobUriBuilder(url);
        var (container, prefix) = (address.BlobContainerName is { Length: > 0 } named ? named : DefaultContainer, address.BlobName.Trim('/'));
        CheckContainer(container);
        (address.BlobContainerName, address.BlobName) = (container, "");
        return new AzureObjectStore(new BlobContainerClient(address.ToUri(), new DefaultAzureCredential(), ClientOptions()), prefix);
    }

    /// <summary>Makes the settings of every client: the service's version, how often a request is tried, how long a try waits.</summary>
    internal static BlobClientOptions ClientOptions()
    {
        var options = new BlobClientOptions(Version) { RetryPolicy = new AzureRetries() };
        options.AddPolicy(new AzureTimeLimits(), HttpPipelinePosition.PerCall);
        return options;
    }

    private static void CheckContainer(string name)
    {
        var valid = name.Length is >= 3 and <= 63
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
            && !name.StartsWith('-') && !name.EndsWith('-') && !name.Contains("--", StringComparison.Ordinal);
        if (!valid)
        {
            throw Invalid($"'{name}' cannot be a container: 3 to 63 of a-z 0-9 and single hyphens are allowed.");
        }
    }

    private static string? ValueOf(string[] parts, string name) => parts.LastOrDefault(part => IsOwn(part, name))?[name.Length..];

    private static bool IsOwn(string part, string name) => part.StartsWith(name, StringComparison.OrdinalIgnoreCase);

    private static string ExpandHome(string path) => path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
        ? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + path[1..]
        : path;

    private static StorageException Invalid(string fault) => new(
        StorageErrorCodes.InvalidArgument,
        fault,
        "Give a folder, an Azure connection string with ;Container=NAME;Prefix=P, https://ACCOUNT.blob.core.windows.net/CONTAINER, or memory://.");
}
