// Entry point of `rt`: turns Ctrl+C and SIGTERM into cancellation.
using System.Runtime.InteropServices;
using Rt.Cli;

using var cancellation = new CancellationTokenSource();
// The first signal asks the command to stop; a second one ends the process as usual.
void Stop(PosixSignalContext signal)
{
    signal.Cancel = !cancellation.IsCancellationRequested;
    cancellation.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return await Cli.RunAsync(args, Console.Out, Console.Error, cancellation.Token);
