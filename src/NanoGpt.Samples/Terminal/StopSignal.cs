// Ctrl-C and SIGTERM: the first asks the command to end cleanly, the second ends the process at once.

using System.Runtime.InteropServices;

namespace NanoGpt.Samples.Terminal;

internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;
    private volatile CancellationTokenSource? part;

    public StopSignal() => registrations =
        [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, Receive))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => source.Token;

    public bool IsRequested => source.IsCancellationRequested;

    /// <summary>128 and the signal's number, as shells count.</summary>
    public int ExitCode { get; private set; } = ExitCodes.Interrupted;

    /// <summary>Runs a part of the command that Ctrl-C stops alone: one answer of a chat. The command goes on after it.</summary>
    public async Task RunPartAsync(Func<CancellationToken, Task> run)
    {
        using var stop = new CancellationTokenSource();
        part = stop;
        try
        {
            await run(stop.Token);
        }
        finally
        {
            part = null;
        }
    }

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        source.Dispose();
    }

    private void Receive(PosixSignalContext context)
    {
        if (context.Signal == PosixSignal.SIGINT && part is { IsCancellationRequested: false } running)
        {
            context.Cancel = true;
            running.Cancel();
            return;
        }

        if (IsRequested) return; // the second: what the system does by default, which is to end the process
        ExitCode = context.Signal == PosixSignal.SIGTERM ? ExitCodes.Terminated : ExitCodes.Interrupted;
        context.Cancel = true;
        source.Cancel();
    }
}
