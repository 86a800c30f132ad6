using Granary.Storage.Errors;
using Granary.Storage.Objects;

namespace Granary.Storage.Tests.Objects;

public sealed class ObjectStoresTests
{
    private const string Key = "c2VjcmV0c2VjcmV0c2VjcmV0";

    [Theory]
    [InlineData($"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={Key};EndpointSuffix=core.windows.net", "https://acme.blob.core.windows.net/granary")]
    [InlineData($"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={Key};EndpointSuffix=core.windows.net;Container=kv-cache;Prefix=/a/b/", "https://acme.blob.core.windows.net/kv-cache/a/b")]
    [InlineData($"container=kv;x=y;AccountName=acme;AccountKey={Key};BlobEndpoint=http://127.0.0.1:1/acme", null)]
    [InlineData("UseDevelopmentStorage=true;Container=abc", "http://127.0.0.1:10000/devstoreaccount1/abc")]
    [InlineData("https://acme.blob.core.windows.net/kv-cache", "https://acme.blob.core.windows.net/kv-cache")]
    [InlineData("https://acme.blob.core.windows.net/kv-cache/p/q", "https://acme.blob.core.windows.net/kv-cache/p/q")]
    [InlineData("https://acme.blob.core.windows.net", "https://acme.blob.core.windows.net/granary")]
    [InlineData("https://127.0.0.1:10000/acme/kv-cache/p/q", "https://127.0.0.1:10000/acme/kv-cache/p/q")]
    [InlineData("https://127.0.0.1:10000/acme", "https://127.0.0.1:10000/acme/granary")]
    [InlineData("memory://", "memory://")]
    public void Open_LocationIsKnown_DescribesItWithoutSecrets(string location, string? description)
    {
        if (description is null)
        {
            Assert.Equal("InvalidArgument", Assert.Throws<StorageException>(() => ObjectStores.Open(location, TimeProvider.System)).Code); // 'kv' is too short
            return;
        }

        Assert.Equal(description, ObjectStores.Open(location, TimeProvider.System).Description);
    }

    [Theory]
    [InlineData(""), InlineData("  "), InlineData("s3://bucket"), InlineData("http://acme/kv"), InlineData("https://acme.blob.core.windows.net/kv-cache?sig=x")]
    [InlineData($"AccountName=acme;AccountKey={Key}!;nonsense"), InlineData($"AccountKey={Key};BlobEndpoint=")]
    [InlineData("https://acme.blob.core.windows.net/Upper")]
    public void Open_LocationIsUnusable_SaysSoWithoutSecrets(string location)
    {
        var fault = Assert.Throws<StorageException>(() => ObjectStores.Open(location, TimeProvider.System));

        Assert.Equal("InvalidArgument", fault.Code);
        Assert.DoesNotContain(Key, fault.ToString(), StringComparison.Ordinal);
        Assert.NotEmpty(fault.Remedy);
    }

    [Fact]
    public void Open_LocationIsAPath_CreatesTheFolder()
    {
        var parent = Directory.CreateTempSubdirectory("granary-open-");
        try
        {
            var path = Path.Combine(parent.FullName, "deep", "store=1");
            Assert.Equal(path, Assert.IsType<FolderObjectStore>(ObjectStores.Open(path, TimeProvider.System)).Description);
            Assert.True(Directory.Exists(path));
        }
        finally
        {
            parent.Delete(recursive: true);
        }
    }
}
