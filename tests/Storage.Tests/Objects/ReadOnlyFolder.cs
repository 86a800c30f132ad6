using System.Diagnostics;
using System.Runtime.Versioning;

namespace Granary.Storage.Tests.Objects;

/// <summary>Makes a folder read-only while it lives: by permissions, or, for root, whom they do not bind, by a read-only mount.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ReadOnlyFolder : IDisposable
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserExecute;
    private readonly string _folder;
    private readonly bool _mounted;

    private ReadOnlyFolder(string folder, bool mounted) => (_folder, _mounted) = (folder, mounted);

    public static ReadOnlyFolder Make(string folder)
    {
        if (Environment.UserName != "root")
        {
            SetModes(folder, Readable);
            return new ReadOnlyFolder(folder, mounted: false);
        }

        Assert.SkipUnless(Run("mount", "--bind", folder, folder), "this root may not mount, and permissions do not bind it");
        Assert.True(Run("mount", "-o", "remount,ro,bind", folder));
        return new ReadOnlyFolder(folder, mounted: true);
    }

    public void Dispose()
    {
        if (_mounted)
        {
            Assert.True(Run("umount", _folder));
        }
        else
        {
            SetModes(_folder, Readable | UnixFileMode.UserWrite);
        }
    }

    private static void SetModes(string folder, UnixFileMode mode)
    {
        foreach (var one in Directory.GetDirectories(folder).Append(folder))
        {
            File.SetUnixFileMode(one, mode);
        }
    }

    private static bool Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
