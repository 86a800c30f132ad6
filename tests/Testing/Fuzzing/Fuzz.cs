using System.Diagnostics;
using CsCheck;
using Xunit;

namespace Granary.Testing.Fuzzing;

/// <summary>Feeds a parser with edited copies of a real file: it gives a result or a named error, soon, and allocates no more than the file warrants.</summary>
public static class Fuzz
{
    /// <summary>How many copies each parser gets.</summary>
    public const int Inputs = 10_000;

    // Far above what any takes on a busy machine; a parser that is quadratic in what an edit can make is above it.
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(5);

    /// <summary>Runs a parser.</summary>
    /// <param name="original">The real file, which must parse.</param>
    /// <param name="parse">Parses, on this thread.</param>
    /// <param name="isNamed">Whether an exception is one of the errors that it names.</param>
    /// <param name="bytesForByte">The managed bytes that it may allocate for each byte of the file.</param>
    /// <param name="bytes">And besides.</param>
    public static void Run(byte[] original, Action<byte[]> parse, Func<Exception, bool> isNamed, int bytesForByte, int bytes = 1 << 20)
    {
        parse(original);
        Mutations.Of(original).Sample(
            file =>
            {
                var (allocated, started) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
                try
                {
                    parse(file);
                }
                catch (Exception e) when (isNamed(e))
                {
                    // As it should be.
                }

                var most = bytes + ((long)bytesForByte * file.Length);
                allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
                Assert.True(allocated <= most, $"{allocated:N0} bytes were allocated for a file of {file.Length:N0}, {most:N0} may be.");
                Assert.True(Stopwatch.GetElapsedTime(started) < MostTime, $"It took {Stopwatch.GetElapsedTime(started)}.");
            },
            iter: Inputs,
            threads: 1);
    }
}
