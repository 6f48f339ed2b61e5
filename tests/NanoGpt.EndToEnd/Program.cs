// The test program's door. Given `child JOB ...` it is a process to be watched or killed by a test; else it runs the tests.

using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace NanoGpt.EndToEnd;

internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        if (args is ["child", "save", var folder]) return Formats.SaveChild.Run(folder);
        if (args is ["child", "kept-memory"]) return KeptMemoryTests.OnTheFirstThread();
        if (args is ["child", "concurrency", var seconds]) return await Generation.ConcurrencyTests.InChildAsync(seconds);
        if (args is ["child", .. var job]) return await Hub.HubChild.RunAsync(job);
        return args.Any(arg => arg is "--server" or "--internal-msbuild-node")
            ? await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await ConsoleRunner.Run(args);
    }
}
