using System.Runtime.InteropServices;

namespace Granary.Inference.Engine;

/// <summary>How long libtorch's threads spin between two parallel regions.</summary>
/// <remarks>
/// libgomp spins for milliseconds unless told otherwise, and so takes the cores that grains and other processes need: at a load of 5 on two cores
/// this library's tests, several engines side by side, took 292 s, and with OMP_WAIT_POLICY=PASSIVE 24 s (November 2026). It reads its environment when it is loaded, so this must come before
/// the first use of libtorch. What the operator set stays.
/// </remarks>
internal static partial class ThreadSpinning
{
    private const string Count = "GOMP_SPINCOUNT";
    private const string ShortSpin = "2000"; // some microseconds: enough for the next operator of a step

    public static void Shorten()
    {
        if (OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable(Count) is null && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)
        {
            // Not Environment.SetEnvironmentVariable: .NET keeps a copy that native code does not see.
            _ = SetEnvironment(Count, ShortSpin, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
