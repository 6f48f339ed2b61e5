// A loopback Hub with a model in it, a cache folder, and clients that don't wait long.

using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

internal sealed class HubSandbox : IAsyncDisposable
{
    private HubSandbox(LoopbackHub hub) => Hub = hub;

    public LoopbackHub Hub { get; }

    public string Root { get; } = Directory.CreateTempSubdirectory("nanogpt-hub-").FullName;

    public string Cache => Path.Combine(Root, "cache");

    public RecordedLog Log { get; } = new();

    public static async Task<HubSandbox> StartAsync() => new(await LoopbackHub.StartAsync());

    public HubOptions Options(bool offline = false, string? token = "", bool? links = null, int tries = 5, string? cache = null) => new()
    {
        Endpoint = Hub.Address,
        CacheDirectory = cache ?? Cache,
        Token = token,
        LocalFilesOnly = offline,
        MaxTries = tries,
        RetryDelay = TimeSpan.FromMilliseconds(1),
        MaxRetryDelay = TimeSpan.FromMilliseconds(8),
        MetadataTimeout = TimeSpan.FromSeconds(10),
        DownloadTimeout = TimeSpan.FromSeconds(10),
        UseSymbolicLinks = links,
        LoggerFactory = Log,
    };

    public HubClient Client(bool offline = false, string? token = "", bool? links = null, int tries = 5, string? cache = null) =>
        new(Options(offline, token, links, tries, cache));

    /// <summary>A repository with the files of a small model, and others that nobody should download.</summary>
    public HubRepo AddModel(string id = "openai-community/gpt2", int weightBytes = 300_000)
    {
        var repository = Hub.Repository(id);
        repository.Commit("main", files =>
        {
            foreach (var (name, text) in SmallFiles) files[name] = new HubRepoFile(text, IsLfs: false);
            files["model.safetensors"] = new HubRepoFile(Noise(weightBytes, seed: 1), IsLfs: true);
            files["pytorch_model.bin"] = new HubRepoFile(Noise(1000, seed: 2), IsLfs: true);
            files["tf_model.h5"] = new HubRepoFile(Noise(1000, seed: 3), IsLfs: true);
            files["onnx/decoder_model.onnx"] = new HubRepoFile(Noise(1000, seed: 4), IsLfs: true);
        });
        return repository;
    }

    public static IReadOnlyDictionary<string, string> SmallFiles { get; } = new Dictionary<string, string>
    {
        ["config.json"] = """{"model_type":"gpt2"}""",
        ["vocab.json"] = "{}",
        ["merges.txt"] = "#version: 0.2\n",
        ["tokenizer.json"] = """{"model":{}}""",
        ["generation_config.json"] = """{"eos_token_id":50256}""",
        ["README.md"] = "# A model",
    };

    public static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Fails unless every file under a final name, in a snapshot or among the blobs, is one of a commit, whole.</summary>
    /// <returns>How many there are.</returns>
    public int CheckCache(string? cache = null)
    {
        var known = Hub.Repositories.Values.SelectMany(repository => repository.Refs.Values.SelectMany(commit => repository.Files(commit).Values))
            .SelectMany(file => new[] { file.Content.Sha256, file.Content.GitSha1 }).ToHashSet();
        var checkedFiles = 0;
        foreach (var path in Directory.EnumerateFiles(cache ?? Cache, "*", SearchOption.AllDirectories))
        {
            var parts = Path.GetRelativePath(cache ?? Cache, path).Split(Path.DirectorySeparatorChar);
            if (parts.Length < 3 || parts[1] is not ("blobs" or "snapshots") || path.EndsWith(".incomplete", StringComparison.Ordinal)) continue;
            if (!File.Exists(Path.GetFullPath(path)) || new FileInfo(path).ResolveLinkTarget(true) is { Exists: false }) Assert.Fail($"{path} leads nowhere");
            Assert.True(known.Contains(Sha256(path)), $"{path} is not a file of any commit");
            checkedFiles++;
        }

        return checkedFiles;
    }

    public static string Sha256(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(file)).ToLowerInvariant();
    }

    public async ValueTask DisposeAsync()
    {
        await Hub.DisposeAsync();
        Directory.Delete(Root, recursive: true);
    }
}

/// <summary>Keeps all that is logged, to be searched for what must not be in it.</summary>
internal sealed class RecordedLog : ILoggerFactory, ILogger
{
    private readonly StringBuilder _text = new();

    public string Text
    {
        get
        {
            lock (_text) return _text.ToString();
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_text) _text.AppendLine($"{logLevel} {eventId.Id} {eventId.Name}: {formatter(state, exception)} {exception}");
    }

    public void Dispose()
    {
    }
}
