using System.Buffers;
using System.Text;
using Granary.Storage.Objects;

namespace Granary.Storage.Tests.Objects;

/// <summary>Contents for tests.</summary>
internal static class Bytes
{
    public static ReadOnlySequence<byte> Text(string text) => new(Encoding.UTF8.GetBytes(text));

    public static byte[] Random(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static async Task<string?> FindTextAsync(this IObjectStore store, string key) =>
        await store.FindAsync(key, TestContext.Current.CancellationToken) is { } found ? Encoding.UTF8.GetString(found.Content) : null;

    public static async Task<List<string>> ListKeysAsync(this IObjectStore store, string prefix)
    {
        var keys = new List<string>();
        await foreach (var info in store.ListAsync(prefix, TestContext.Current.CancellationToken))
        {
            keys.Add(info.Key);
        }

        return keys;
    }
}
