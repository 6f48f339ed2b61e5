// The code about the Hub: docs/getting-started.md and docs/hub.md.

using NanoGpt.Hub;

namespace NanoGpt.Consumer;

internal static class HubExamples
{
    public static async Task Progress()
    {
        #region progress of a download
        var progress = new Progress<HubProgress>(p => Console.WriteLine($"{p.BytesDone:N0} bytes"));
        using var gpt = await GPT.FromPretrainedAsync("gpt2", new() { Revision = "main" }, progress);
        #endregion
        Console.WriteLine(gpt.Config.NLayer);
    }

    public static async Task Download()
    {
        #region download
        using var hub = new HubClient(new() { CacheDirectory = "models" });
        string folder = await hub.DownloadModelAsync("gpt2");
        using var gpt = GPT.FromPretrained(folder);
        #endregion
        Console.WriteLine(gpt.Config.NLayer);
    }

    public static async Task Cache()
    {
        #region cache
        var cache = new HubCache("models");
        foreach (var model in cache.Scan()) Console.WriteLine($"{model.Model}: {model.SizeBytes:N0} bytes");
        foreach (var file in await cache.VerifyAsync()) Console.WriteLine($"{file.File.Name}: {file.State}");
        Console.WriteLine($"{cache.Delete("gpt2"):N0} bytes freed");
        #endregion
    }

    public static async Task Upload()
    {
        #region upload
        new HubModelCard { Name = "Bard", BaseModel = "openai-community/gpt2", ValidationLoss = 3.12 }.WriteTo("out/final");
        using var hub = new HubClient();
        var commit = await hub.UploadFolderAsync("out/final", "me/bard", new() { Message = "Fine-tuned" });
        Console.WriteLine(commit.Address);
        #endregion
    }
}
