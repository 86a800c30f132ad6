using System.IO.MemoryMappedFiles;
using Granary.Inference.Checkpoints;
using Granary.Inference.Errors;
using Microsoft.Win32.SafeHandles;

namespace Granary.Inference.Safetensors;

/// <summary>A safetensors file, mapped read-only. Everything its header claims is checked against the file before a tensor is handed out.</summary>
/// <remarks>Format: https://github.com/huggingface/safetensors, "Format". A file must not be cut short while it is mapped: the kernel then kills the reader.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;

    private SafetensorsFile(string path, SafeFileHandle file, long length)
    {
        Path = path;
        _file = file;
        _map = MemoryMappedFile.CreateFromFile(file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        Length = length;
        Identity = FileIdentity.Of(path, file);
    }

    /// <summary>Gets the file's path.</summary>
    public string Path { get; }

    /// <summary>Gets the file's length in bytes.</summary>
    public long Length { get; }

    /// <summary>Gets the tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors { get; private set; } = new Dictionary<string, SafetensorsTensor>();

    /// <summary>Gets the header's <c>__metadata__</c>; empty where it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>Gets what the file was when it was mapped.</summary>
    internal FileIdentity Identity { get; }

    /// <summary>Maps a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The file; the caller disposes it, after the last use of its tensors.</returns>
    /// <exception cref="InferenceException"><c>CheckpointInvalid</c>: the file cannot be opened, is cut short, or its header lies.</exception>
    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle? handle = null;
        SafetensorsFile? file = null;
        try
        {
            handle = File.OpenHandle(path);
            var length = RandomAccess.GetLength(handle);
            if (length < SafetensorsHeader.PrefixBytes)
            {
                throw SafetensorsHeader.Invalid(path, $"it has {length} bytes, too few for the 8 bytes of the header's length");
            }

            file = new SafetensorsFile(path, handle, length);
            file.ReadHeader();
            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Close();
            throw new InferenceException(ErrorCode.CheckpointInvalid, $"'{path}' cannot be read: {e.Message}", "Check the path and the file's permissions.", e);
        }
        catch
        {
            Close();
            throw;
        }

        void Close()
        {
            file?.Dispose();
            handle?.Dispose();
        }
    }

    /// <summary>Unmaps the file. Its tensors must not be read any more.</summary>
    public void Dispose()
    {
        if (!_file.IsClosed)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map.Dispose();
            _file.Dispose();
        }
    }

    /// <summary>Reads a part of the file that was mapped, whatever stands under its name by now.</summary>
    /// <exception cref="InferenceException"><c>CheckpointInvalid</c>: it cannot be read any more, or became shorter.</exception>
    internal void Read(long offset, Span<byte> part)
    {
        try
        {
            while (part.Length > 0)
            {
                var read = RandomAccess.Read(_file, part, offset);
                if (read == 0)
                {
                    throw new EndOfStreamException($"it ends at byte {offset}, and had {Length} when it was opened.");
                }

                offset += read;
                part = part[read..];
            }
        }
        catch (IOException e)
        {
            throw new InferenceException(ErrorCode.CheckpointInvalid, $"'{Path}' cannot be read: {e.Message}", "Let nobody write to a checkpoint that is in use; copy it again.", e);
        }
    }

    /// <summary>Gets what the mapped file is now: other than <see cref="Identity"/> if someone wrote to it.</summary>
    internal FileIdentity CurrentIdentity() => FileIdentity.Of(Path, _file);

    private unsafe void ReadHeader()
    {
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start); // released by Dispose
        start += _view.PointerOffset;
        var header = SafetensorsHeader.Read(Path, start, Length);
        Metadata = header.Metadata;
        Tensors = header.Tensors.ToDictionary(
            tensor => tensor.Name,
            tensor =>
            {
                var offset = header.DataStart + tensor.Begin;
                return new SafetensorsTensor(this, offset, tensor.Name, tensor.Dtype, tensor.Shape, (nint)(start + offset), tensor.End - tensor.Begin);
            });
    }
}
