using System.Diagnostics;

namespace Granary.Testing.Processes;

/// <summary>A real process whose lines a test reads and waits for, and which ends with the test.</summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);
    private readonly Process _process;
    private readonly object _gate = new();
    private readonly List<string> _lines = [];
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly string _command;
    private bool _isDisposed;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(Process process, string command)
    {
        (_process, _command) = (process, command);
        process.OutputDataReceived += (_, line) => Add(_output, line.Data);
        process.ErrorDataReceived += (_, line) => Add(_errors, line.Data);
    }

    /// <summary>Gets the lines of standard output so far.</summary>
    public IReadOnlyList<string> Output => Copy(_output);

    /// <summary>Gets the lines of standard error so far.</summary>
    public IReadOnlyList<string> Errors => Copy(_errors);

    /// <summary>Gets the lines of both so far, in the order of their arrival.</summary>
    public IReadOnlyList<string> Lines => Copy(_lines);

    /// <summary>Gets the operating system's id of the process.</summary>
    public int Id => _process.Id;

    /// <summary>Gets a value indicating whether the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Starts <paramref name="file"/>; the caller disposes it, which kills what still runs.</summary>
    /// <param name="file">Executable: a path, or a name on PATH.</param>
    /// <param name="arguments">Arguments, unquoted.</param>
    /// <param name="environment">Variables to add; a null value removes one.</param>
    /// <param name="folder">Working folder; the clone's root where null.</param>
    public static ChildProcess Start(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? folder = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Repository.Root,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        var child = new ChildProcess(new Process { StartInfo = start }, $"{Path.GetFileName(file)} {string.Join(' ', start.ArgumentList)}");
        child._process.Start();
        child._process.StandardInput.Close();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Waits for a line, past ones included, on standard output or standard error.</summary>
    /// <param name="isWanted">Says which.</param>
    /// <param name="timeout">60 s where null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The first such line.</returns>
    /// <exception cref="TimeoutException">None came in time; the message has the last lines.</exception>
    /// <exception cref="InvalidOperationException">The process ended without one.</exception>
    public async Task<string> WaitForLineAsync(Predicate<string> isWanted, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout ?? DefaultTimeout);
        try
        {
            var ended = _process.WaitForExitAsync(limit.Token); // completes when both streams are at their end
            for (var next = 0; ;)
            {
                Task changed;
                var hasEnded = ended.IsCompletedSuccessfully;
                lock (_gate)
                {
                    for (; next < _lines.Count; next++)
                    {
                        if (isWanted(_lines[next]))
                        {
                            return _lines[next];
                        }
                    }

                    changed = _changed.Task;
                }

                if (hasEnded)
                {
                    throw new InvalidOperationException($"'{_command}' ended with {_process.ExitCode} before the line that was waited for.{Tail()}");
                }

                await Task.WhenAny(changed, ended).WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"'{_command}' did not write the line that was waited for within {timeout ?? DefaultTimeout}.{Tail()}");
        }
    }

    /// <summary>Waits for the end of the process and of its output.</summary>
    /// <returns>The exit code; 137 after <see cref="Kill"/>.</returns>
    /// <exception cref="TimeoutException">It still runs; the message has its last lines.</exception>
    public async Task<int> WaitForExitAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        try
        {
            await _process.WaitForExitAsync(cancellationToken).WaitAsync(timeout ?? DefaultTimeout, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"'{_command}' did not end within {timeout ?? DefaultTimeout}.{Tail()}");
        }

        return _process.ExitCode;
    }

    /// <summary>Ends the process at once, with SIGKILL: nothing of it runs again.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Asks the process to end, with SIGTERM, as Kubernetes does.</summary>
    public void Terminate() => Signal("TERM");

    /// <summary>Stops the process where it is, with SIGSTOP: it hangs, and its connections stay open.</summary>
    public void Pause() => Signal("STOP");

    /// <summary>Lets a paused process go on, with SIGCONT.</summary>
    public void Continue() => Signal("CONT");

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
        {
            return; // ended by its test already: what made that test fail is not to be hidden
        }

        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    /// <summary>Tells the last lines, for a failure's message.</summary>
    public string Tail()
    {
        var last = Lines.TakeLast(20).ToList();
        return last.Count == 0 ? " It wrote nothing." : $" Its last lines:\n  {string.Join("\n  ", last)}";
    }

    /// <summary>Gets the memory that the process has resident.</summary>
    /// <value>Bytes.</value>
    public long ResidentSetBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Sets the priority of all its threads.</summary>
    /// <param name="niceness">0 is usual, 19 yields to all others.</param>
    public void SetNiceness(int niceness)
    {
        var threads = Directory.EnumerateDirectories(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"/proc/{Id}/task")).Select(static path => Path.GetFileName(path));
        using var renice = Process.Start(new ProcessStartInfo("renice", ["-n", niceness.ToString(System.Globalization.CultureInfo.InvariantCulture), "-p", .. threads]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        renice.WaitForExit(); // a thread that has ended meanwhile, or a user who may not, changes nothing that is tested
    }

    private void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private void Add(List<string> lines, string? line)
    {
        if (line is null)
        {
            return;
        }

        TaskCompletionSource changed;
        lock (_gate)
        {
            lines.Add(line);
            _lines.Add(line);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    private string[] Copy(List<string> lines)
    {
        lock (_gate)
        {
            return [.. lines];
        }
    }
}
