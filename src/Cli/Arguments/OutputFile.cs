using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Writes the file that <c>--out</c> names: beside it first, then by rename, so that nobody sees half of one.</summary>
internal static class OutputFile
{
    /// <summary>Replaces a file.</summary>
    /// <typeparam name="T">The writing's result.</typeparam>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the content to the path that it is handed.</param>
    /// <returns>The writing's result.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the folder is missing or not writable; choose another.</exception>
    public static async Task<T> ReplaceAsync<T>(string path, Func<string, Task<T>> write)
    {
        var target = Path.GetFullPath(path);
        var temporary = Path.Combine(Path.GetDirectoryName(target) ?? "/", $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.tmp");
        try
        {
            if (Directory.Exists(target))
            {
                throw new IOException("it is a folder.");
            }

            // Told before hours of work, not after.
            await File.Create(temporary).DisposeAsync();
            var result = await write(temporary);
            File.Move(temporary, target, overwrite: true);
            return result;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{path}' cannot be written: {e.Message}", "Choose a file in an existing, writable folder.", e);
        }
        finally
        {
            if (File.Exists(temporary))
            {
                File.Delete(temporary);
            }
        }
    }
}
