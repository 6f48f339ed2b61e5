// nanogpt: finds the command, runs it, and turns whatever goes wrong into one line and an exit code. Does nothing itself.

using NanoGpt.Samples;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

using var stop = new StopSignal();
var output = Screen.StandardOutput();
var errors = Screen.StandardError();
var verbose = args.Contains("--verbose");

if (args.Length == 0 || args[0] is "help" or "--help" or "-h" or "--version")
    return FrontPage.Run(args, output, errors);

if (CommandList.Find(args[0]) is not { } command)
    return Fail("nanogpt", FrontPage.NoCommand(args[0]));

try
{
    await command.RunAsync(args.AsMemory(1), new Session(output, errors, stop));
    return stop.IsRequested ? stop.ExitCode : ExitCodes.Success;
}
catch (OperationCanceledException) when (stop.IsRequested)
{
    return stop.ExitCode;
}
catch (Exception e)
{
    return Fail($"nanogpt {command.Name}", e);
}

int Fail(string who, Exception e)
{
    errors.Line($"{errors.Paint(Ink.Red, who + ":")} {ErrorLine.For(e)}");
    if (verbose) errors.Line(e.ToString());
    return ExitCodes.Error;
}
