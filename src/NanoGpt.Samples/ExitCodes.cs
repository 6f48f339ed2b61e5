// What the program's exit code means; `nanogpt --help` lists them.

namespace NanoGpt.Samples;

internal static class ExitCodes
{
    public const int Success = 0;

    /// <summary>Anything that went wrong; one line on standard error says what.</summary>
    public const int Error = 1;

    /// <summary>Ended by Ctrl-C: 128 + SIGINT, as shells count.</summary>
    public const int Interrupted = 130;

    /// <summary>Ended by SIGTERM: 128 + 15.</summary>
    public const int Terminated = 143;
}
