using System.Buffers;
using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using Granary.Storage.Errors;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Objects;

/// <summary>An object store in a local folder, which many processes may share; its layout and crash safety are stated in this folder's README.</summary>
/// <remarks>Key locks of other processes are waited for with the clock that is given: under a fake one, someone must advance it.</remarks>
public sealed class FolderObjectStore : IObjectStore
{
    private const int SliceLength = 8 << 20;

    private static readonly TimeSpan TemporaryFileGrace = TimeSpan.FromHours(1);
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    private readonly string _root;
    private readonly string _temporary;
    private readonly TimeProvider _time;
    private readonly FolderLocks _locks;
    private readonly FolderGenerations _generations;

    /// <summary>Opens a folder, which is created where it is missing, and sweeps temporary files that crashed writers left an hour ago or earlier.</summary>
    /// <param name="root">The folder's path.</param>
    /// <param name="time">Gives the objects' times and the waits for locks.</param>
    /// <exception cref="StorageException"><c>StoreUnavailable</c>: the path is a file or cannot be created; give another.</exception>
    public FolderObjectStore(string root, TimeProvider time)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(root);
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _temporary = Path.Combine(_root, ".tmp");
        _time = time;
        _locks = new FolderLocks(_root, time);
        _generations = new FolderGenerations(_root);
        OpenRoot();
        SweepTemporaryFiles();
    }

    /// <inheritdoc/>
    public string Description => _root;

    /// <summary>Sets what runs between the new version and the data's rename, for tests of a crash there.</summary>
    internal Action BeforeRename { private get; set; } = static () => { };

    /// <inheritdoc/>
    public Task<ObjectVersion> PutAsync(string key, ReadOnlySequence<byte> content, Precondition precondition, CancellationToken cancellationToken) =>
        RunAsync(key, writing: true, async path =>
        {
            // Refused early where that is known already, so that a present chunk costs no write of megabytes.
            Require(key, precondition, await FindInfoAsync(key, path, cancellationToken).ConfigureAwait(false));
            var temporary = WriteTemporary(content, cancellationToken);
            try
            {
                using var held = await _locks.AcquireAsync(key, shared: false, cancellationToken).ConfigureAwait(false);
                Require(key, precondition, FindInfo(key, path));
                CreateFolder(Path.GetDirectoryName(path)!);
                var version = _generations.Raise(key);
                BeforeRename();
                File.Move(temporary, path, overwrite: true);
                Posix.SyncFolder(Path.GetDirectoryName(path)!);
                return version;
            }
            finally
            {
                File.Delete(temporary); // gone already, after the rename
            }
        });

    /// <inheritdoc/>
    public Task<StoredObject?> FindAsync(string key, CancellationToken cancellationToken) =>
        RunAsync(key, writing: false, async path =>
        {
            var (file, info) = await OpenAsync(key, path, cancellationToken).ConfigureAwait(false);
            using (file)
            {
                if (file is null || info is null)
                {
                    return null;
                }

                if (info.Length > IObjectStore.MaxFindBytes)
                {
                    throw ObjectFaults.TooLarge(key, info.Length);
                }

                var content = new byte[info.Length];
                Fill(key, file, 0, content, cancellationToken);
                return new StoredObject(content, info.Version);
            }
        });

    /// <inheritdoc/>
    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken) =>
        RunAsync(key, writing: false, path => FindInfoAsync(key, path, cancellationToken));

    /// <inheritdoc/>
    public Task<ObjectVersion?> ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return RunAsync(key, writing: false, async path =>
        {
            var (file, info) = await OpenAsync(key, path, cancellationToken).ConfigureAwait(false);
            using (file)
            {
                if (file is not null)
                {
                    Fill(key, file, offset, destination, cancellationToken);
                }

                return info?.Version;
            }
        });
    }

    /// <inheritdoc/>
    public Task<ObjectInfo?> ReadAllAsync(string key, IReadOnlyList<Memory<byte>> parts, CancellationToken cancellationToken) =>
        RunAsync(key, writing: false, async path =>
        {
            var (file, info) = await OpenAsync(key, path, cancellationToken).ConfigureAwait(false);
            using (file)
            {
                if (file is null || info?.Length != parts.Sum(static part => (long)part.Length))
                {
                    return info;
                }

                var offset = 0L;
                foreach (var part in parts)
                {
                    Fill(key, file, offset, part, cancellationToken);
                    offset += part.Length;
                }

                return info;
            }
        });

    /// <inheritdoc/>
    public Task<bool> TouchAsync(string key, CancellationToken cancellationToken) =>
        RunAsync(key, writing: true, async path =>
        {
            using var held = await _locks.AcquireAsync(key, shared: false, cancellationToken).ConfigureAwait(false);
            if (!File.Exists(path))
            {
                return false;
            }

            _generations.Raise(key);
            File.SetLastWriteTimeUtc(path, _time.GetUtcNow().UtcDateTime);
            return true;
        });

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(string key, Precondition precondition, CancellationToken cancellationToken) =>
        RunAsync(key, writing: true, async path =>
        {
            using var held = await _locks.AcquireAsync(key, shared: false, cancellationToken).ConfigureAwait(false);
            if (FindInfo(key, path) is not { } info)
            {
                return false;
            }

            Require(key, precondition, info);
            File.Delete(path);
            Posix.SyncFolder(Path.GetDirectoryName(path)!);
            _generations.Remove(key); // last: a version without data is no object
            return true;
        });

    /// <inheritdoc/>
    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken) => ListAsync(prefix, null, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectKey.CheckPrefix(prefix);
        var pending = new Stack<string>([prefix[..(prefix.LastIndexOf('/') + 1)]]); // keys, and folders, which end in a slash (the root is empty)
        while (pending.TryPop(out var next))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (next.Length == 0 || next.EndsWith('/'))
            {
                // Of a folder that the key lies in, some come after it.
                foreach (var child in ChildrenOf(next, prefix))
                {
                    if (after is null || string.CompareOrdinal(child, after) > 0 || (child.EndsWith('/') && after.StartsWith(child, StringComparison.Ordinal)))
                    {
                        pending.Push(child);
                    }
                }
            }
            else if (await HeadAsync(next, cancellationToken).ConfigureAwait(false) is { } info)
            {
                yield return info;
            }
        }
    }

    private void OpenRoot()
    {
        try
        {
            CreateFolder(_root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FolderFaults.Unavailable(_root, e);
        }

        try
        {
            Directory.CreateDirectory(_temporary);
            Directory.CreateDirectory(Path.Combine(_root, ".locks"));
        }
        catch (Exception e) when (FolderFaults.Find(e, _root, writing: true) is { Code: StorageErrorCodes.StoreReadOnly or StorageErrorCodes.StoreFull })
        {
            // It can still be read; writes will say what is wrong.
        }
    }

    private void SweepTemporaryFiles()
    {
        var oldest = _time.GetUtcNow() - TemporaryFileGrace;
        try
        {
            foreach (var file in new DirectoryInfo(_temporary).EnumerateFiles().Where(f => f.LastWriteTimeUtc < oldest.UtcDateTime))
            {
                file.Delete();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process swept it, or this one may not: they cost space, nothing else.
        }
    }

    private string WriteTemporary(ReadOnlySequence<byte> content, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_temporary);
        var path = Path.Combine(_temporary, Guid.NewGuid().ToString("N"));
        try
        {
            using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            Posix.Preallocate(file, path, content.Length);
            var offset = 0L;
            foreach (var segment in content)
            {
                for (var rest = segment; rest.Length > 0; rest = rest[Math.Min(SliceLength, rest.Length)..])
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var slice = rest[..Math.Min(SliceLength, rest.Length)];
                    RandomAccess.Write(file, slice.Span, offset);
                    offset += slice.Length;
                }
            }

            File.SetLastWriteTimeUtc(file, _time.GetUtcNow().UtcDateTime);
            RandomAccess.FlushToDisk(file);
            return path;
        }
        catch
        {
            File.Delete(path); // nothing half-written stays
            throw;
        }
    }

    /// <summary>Opens an object's data and version as one: under the lock no writer is between the two. The data itself is never changed in place, so it is read without.</summary>
    private async Task<(SafeFileHandle? File, ObjectInfo? Info)> OpenAsync(string key, string path, CancellationToken cancellationToken)
    {
        using var held = await _locks.AcquireAsync(key, shared: true, cancellationToken).ConfigureAwait(false);
        return FindInfo(key, path) is { } info
            ? (File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), info)
            : (null, null);
    }

    private async Task<ObjectInfo?> FindInfoAsync(string key, string path, CancellationToken cancellationToken)
    {
        using var held = await _locks.AcquireAsync(key, shared: true, cancellationToken).ConfigureAwait(false);
        return FindInfo(key, path);
    }

    private ObjectInfo? FindInfo(string key, string path)
    {
        var data = new FileInfo(path);
        return data.Exists
            ? new ObjectInfo(key, data.Length, _generations.Get(key, data), new DateTimeOffset(data.LastWriteTimeUtc, TimeSpan.Zero))
            : null;
    }

    private static void Require(string key, Precondition precondition, ObjectInfo? info)
    {
        if (!precondition.Holds(info?.Version))
        {
            throw new ObjectConflictException(key);
        }
    }

    private static void Fill(string key, SafeFileHandle file, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        for (var filled = 0; filled < destination.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var slice = destination.Slice(filled, Math.Min(SliceLength, destination.Length - filled));
            var read = RandomAccess.Read(file, slice.Span, offset + filled);
            filled += read > 0 ? read : throw ObjectFaults.TooShort(key, offset, destination.Length);
        }
    }

    /// <summary>Creates a folder durably: each new one is synced into its parent.</summary>
    private static void CreateFolder(string path)
    {
        if (Directory.Exists(path) || Path.GetDirectoryName(path) is not { } parent)
        {
            return;
        }

        CreateFolder(parent);
        Directory.CreateDirectory(path);
        Posix.SyncFolder(parent);
    }

    /// <summary>Lists a folder's keys and folders that can lie under a prefix, last first; names with a dot at the start are this store's own.</summary>
    private List<string> ChildrenOf(string folder, string prefix)
    {
        try
        {
            var children = new FileSystemEnumerable<string>(Path.Combine(_root, folder), (ref FileSystemEntry e) => e.IsDirectory ? $"{e.FileName}/" : e.FileName.ToString(), Everything)
                .Where(name => !name.StartsWith('.'))
                .Select(name => folder + name)
                .Where(child => child.StartsWith(prefix, StringComparison.Ordinal) || (child.EndsWith('/') && prefix.StartsWith(child, StringComparison.Ordinal)))
                .Where(child => ObjectKey.IsValid(child.TrimEnd('/')))
                .ToList();
            children.Sort(static (left, right) => string.CompareOrdinal(right, left));
            return children;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception e) when (FolderFaults.Find(e, _root, writing: false) is { } fault)
        {
            throw fault;
        }
    }

    private async Task<T> RunAsync<T>(string key, bool writing, Func<string, Task<T>> act)
    {
        var path = Path.Combine(_root, ObjectKey.Check(key));
        // File calls block, and the caller may be a grain's turn: on to the pool.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            return await act(path).ConfigureAwait(false);
        }
        catch (Exception e) when (FolderFaults.Find(e, _root, writing) is { } fault)
        {
            throw fault;
        }
    }
}
