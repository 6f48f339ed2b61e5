// This program as a process of its own, downloading a model, to be killed or measured.

using System.Diagnostics;
using System.Globalization;
using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

internal static class HubChild
{
    /// <summary>Starts a process that downloads <paramref name="model"/>.</summary>
    public static Process Start(LoopbackHub hub, string cache, string model)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(HubChild).Assembly.Location);
        foreach (var argument in (string[])["child", hub.Address.AbsoluteUri, cache, model]) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>Prints the snapshot's folder and how many bytes of memory the download took at most, beyond those of the start.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        using var client = new HubClient(new HubOptions
        {
            Endpoint = new Uri(arguments[0]),
            CacheDirectory = arguments[1],
            Token = "",
            RetryDelay = TimeSpan.FromMilliseconds(20),
        });
        try
        {
            var before = Process.GetCurrentProcess().WorkingSet64;
            Console.WriteLine(await client.DownloadModelAsync(arguments[2]));
            Console.WriteLine((Process.GetCurrentProcess().PeakWorkingSet64 - before).ToString(CultureInfo.InvariantCulture));
            return 0;
        }
        catch (HubException e)
        {
            Console.Error.WriteLine(e);
            return 3;
        }
    }
}
