using System.Runtime.InteropServices;
using Granary.Cli;
using Granary.Cli.Sessions;
using Granary.Cli.Terminals;

// The first signal cancels in order; a second one has its usual effect.
using var stopping = new CancellationTokenSource();
void Stop(PosixSignalContext signal)
{
    signal.Cancel = !stopping.IsCancellationRequested;
    stopping.Cancel();
}

using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
var surroundings = new CommandSurroundings(new SystemTerminal(), new GranarySessions(), Environment.CurrentDirectory, AppContext.BaseDirectory);
return await new GranaryCommand(surroundings).RunAsync(args, stopping.Token);
