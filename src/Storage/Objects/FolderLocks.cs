using System.Collections.Concurrent;
using System.IO.Hashing;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Objects;

/// <summary>Locks keys of a folder against all processes: files under <c>.locks</c>, held by <c>flock</c>, which the kernel drops with the process.</summary>
/// <remarks>
/// A key's lock is one of 4,096 files, chosen by its hash: a file for each key would double the inodes of a store and could never be deleted safely.
/// Nobody holds two, so sharing one costs a wait of milliseconds and cannot deadlock.
/// </remarks>
internal sealed class FolderLocks(string root, TimeProvider time)
{
    private const int Stripes = 4096;
    private const int MaxAttempts = 400;

    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(50);

    private readonly string _folder = Path.Combine(root, ".locks");
    private readonly ConcurrentDictionary<int, SemaphoreSlim> _gates = new();

    /// <summary>Waits for a key's lock.</summary>
    /// <param name="key">The key.</param>
    /// <param name="shared">Whether readers may hold it together. A reader that may not create the lock's file reads without: it cannot write either.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The lock; disposing it releases.</returns>
    public async Task<IDisposable> AcquireAsync(string key, bool shared, CancellationToken cancellationToken)
    {
        var stripe = (int)(XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(key)) % Stripes);
        // Within this process a queue, so that its own callers neither poll nor starve; between processes the file.
        var gate = _gates.GetOrAdd(stripe, _ => new SemaphoreSlim(1));
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return new Held(gate, await OpenAsync(Path.Combine(_folder, stripe.ToString("x3", null)), shared, cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            gate.Release();
            throw;
        }
    }

    private async Task<SafeFileHandle?> OpenAsync(string path, bool shared, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            try
            {
                return shared
                    ? File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Read, FileShare.Read)
                    : File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (e.HResult == Posix.WouldBlock)
            {
                var wait = TimeSpan.FromMilliseconds((1 << Math.Min(attempt, 6)) * (0.5 + Random.Shared.NextDouble()));
                await Task.Delay(wait < LongestWait ? wait : LongestWait, time, cancellationToken).ConfigureAwait(false);
            }
            catch (DirectoryNotFoundException) when (!shared)
            {
                Directory.CreateDirectory(_folder);
            }
            catch (Exception e) when (shared && e is UnauthorizedAccessException or IOException { HResult: Posix.ReadOnlyFileSystem } or DirectoryNotFoundException)
            {
                return null;
            }
        }

        throw FolderFaults.Locked(root, path, time.GetElapsedTime(started));
    }

    private sealed class Held(SemaphoreSlim gate, SafeFileHandle? file) : IDisposable
    {
        public void Dispose()
        {
            file?.Dispose();
            gate.Release();
        }
    }
}
