using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Granary.Storage.Errors;
using Granary.Storage.Objects;
using Granary.Storage.Sealing;

namespace Granary.Storage.Specs;

/// <summary>Keeps each tenant's salt, in <c>tenants/{tenant}.json</c>, which its hash chains start with.</summary>
/// <remarks>Invariant 12: without the salt nobody can name, and so find, another tenant's chunks.</remarks>
/// <param name="store">Where tenants lie.</param>
public sealed class TenantStore(IObjectStore store)
{
    /// <summary>The bytes of a salt.</summary>
    public const int SaltLength = 32;

    private readonly ConcurrentDictionary<string, byte[]> _salts = new(StringComparer.Ordinal); // a salt never changes

    /// <summary>Gets a tenant's salt, which the first user makes.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>32 random bytes, for all users and for ever the same.</returns>
    /// <exception cref="StorageException"><c>ManifestInvalid</c>: the record cannot be trusted; restore it, or delete it and the tenant's chunks with it.</exception>
    public async Task<byte[]> GetSaltAsync(string tenant, CancellationToken cancellationToken)
    {
        ObjectKey.CheckName("tenant", tenant);
        if (!_salts.TryGetValue(tenant, out var salt))
        {
            salt = await FindAsync(tenant, cancellationToken).ConfigureAwait(false) ?? await WriteOrFindAsync(tenant, cancellationToken).ConfigureAwait(false);
            _salts.TryAdd(tenant, salt);
        }

        return [.. salt];
    }

    /// <summary>Finds a tenant's salt, and makes none.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>32 bytes; <see langword="null"/> where the store does not know the tenant.</returns>
    /// <exception cref="StorageException"><c>ManifestInvalid</c>: the record cannot be trusted.</exception>
    public Task<byte[]?> FindSaltAsync(string tenant, CancellationToken cancellationToken)
    {
        ObjectKey.CheckName("tenant", tenant);
        return FindAsync(tenant, cancellationToken);
    }

    private async Task<byte[]> WriteOrFindAsync(string tenant, CancellationToken cancellationToken)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        var document = new TenantDocument(TenantDocument.CurrentFormatVersion, tenant, salt);
        var content = SealedJson.Seal(JsonSerializer.SerializeToUtf8Bytes(document, StorageJson.Default.TenantDocument));
        try
        {
            await store.PutAsync(KeyOf(tenant), new ReadOnlySequence<byte>(content), Precondition.Absent, cancellationToken).ConfigureAwait(false);
            return salt;
        }
        catch (ObjectConflictException e)
        {
            return await FindAsync(tenant, cancellationToken).ConfigureAwait(false) ?? throw Invalid(tenant, "it came and went while it was read", e);
        }
    }

    private async Task<byte[]?> FindAsync(string tenant, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(KeyOf(tenant), cancellationToken).ConfigureAwait(false) is not { } found)
        {
            return null;
        }

        TenantDocument? document = null;
        if (SealedJson.TryOpen(found.Content, out var json))
        {
            try
            {
                document = JsonSerializer.Deserialize(json, StorageJson.Default.TenantDocument);
            }
            catch (JsonException e)
            {
                throw Invalid(tenant, "it is not a tenant's JSON", e);
            }
        }

        return document switch
        {
            null => throw Invalid(tenant, "its checksum does not match its bytes"),
            { FormatVersion: not TenantDocument.CurrentFormatVersion } => throw Invalid(tenant, $"its format version is {document.FormatVersion}, {TenantDocument.CurrentFormatVersion} is known"),
            { Tenant: var other } when other != tenant => throw Invalid(tenant, $"it is that of '{other}'"),
            { Salt.Length: not SaltLength } => throw Invalid(tenant, $"its salt has {document.Salt.Length} bytes, {SaltLength} are right"),
            _ => document.Salt,
        };
    }

    private static string KeyOf(string tenant) => $"tenants/{tenant}.json";

    private static StorageException Invalid(string tenant, string fault, Exception? inner = null) => new(
        StorageErrorCodes.ManifestInvalid,
        $"The record of the tenant '{tenant}' cannot be trusted: {fault}.",
        "Restore its object from a backup; or delete it: a new salt is made, and the tenant's KV is computed anew from the token ids.",
        inner);
}

/// <summary>A tenant as it is stored.</summary>
internal sealed record TenantDocument(int FormatVersion, string Tenant, byte[] Salt)
{
    public const int CurrentFormatVersion = 1;
}
