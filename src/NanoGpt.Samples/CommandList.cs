// The commands, in the order in which a newcomer meets them.

using NanoGpt.Samples.Commands;

namespace NanoGpt.Samples;

internal static class CommandList
{
    public static IReadOnlyList<Command> All { get; } =
    [
        new QuickstartCommand(),
        new PrepareCommand(),
        new TrainCommand(),
        new FineTuneCommand(),
        new SampleCommand(),
        new ChatCommand(),
        new EvalCommand(),
        new PlotCommand(),
        new BenchCommand(),
        new ServeCommand(),
        new ConvertCommand(),
        new DownloadCommand(),
        new UploadCommand(),
        new CacheCommand(),
        new DoctorCommand(),
    ];

    public static Command? Find(string name) => All.FirstOrDefault(command => command.Name == name);
}
