using System.Text;
using Granary.Errors;

namespace Granary.Cli.Arguments;

/// <summary>Reads the files that flags name.</summary>
internal static class InputFiles
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads a text file.</summary>
    /// <param name="path">The file, in UTF-8.</param>
    /// <returns>Its text, as it stands.</returns>
    /// <exception cref="GranaryException">
    /// <see cref="ErrorCodes.FileNotFound"/>: give an existing file. <see cref="ErrorCodes.InvalidArgument"/>: give a readable one, in UTF-8.
    /// </exception>
    public static string ReadText(string path)
    {
        try
        {
            return StrictUtf8.GetString(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new GranaryException(ErrorCodes.FileNotFound, $"There is no file '{path}'.", "Give the path of an existing file.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"'{path}' cannot be read as UTF-8 text: {e.Message}", "Give a readable text file.", e);
        }
    }
}
