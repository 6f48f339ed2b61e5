// The code of docs/getting-started.md about downloads.

using NanoGpt.Hub;

namespace NanoGpt.Consumer;

internal static class HubExamples
{
    public static async Task Download()
    {
        #region download
        var progress = new Progress<HubProgress>(p => Console.WriteLine($"{p.BytesDone:N0} bytes"));
        using var gpt = await GPT.FromPretrainedAsync("gpt2", new() { Revision = "main" }, progress);
        #endregion
        Console.WriteLine(gpt.Config.NLayer);
    }
}
