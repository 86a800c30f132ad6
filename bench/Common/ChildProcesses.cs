using System.ComponentModel;
using System.Diagnostics;

namespace Granary.Bench.Common;

/// <summary>Begins and ends processes that a benchmark needs.</summary>
internal static class ChildProcesses
{
    /// <summary>Starts a process; the caller ends and disposes it.</summary>
    /// <exception cref="BenchException">It is not there.</exception>
    public static Process Start(ProcessStartInfo start)
    {
        var process = new Process { StartInfo = start };
        try
        {
            process.Start();
            return process;
        }
        catch (Win32Exception e)
        {
            process.Dispose();
            throw new BenchException($"'{start.FileName}' cannot be started: {e.Message}.", e);
        }
    }

    /// <summary>Kills a process that still runs, and what it started.</summary>
    public static async Task EndAsync(Process process)
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }
}
