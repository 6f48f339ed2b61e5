// A folder, to the Hub, as one commit: ask which files are large, put those into LFS storage, then commit all at once. What
// the Hub has already is not sent again. Files above 5 GB would need LFS's multipart transfer, which is not spoken here.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>The upload of one folder.</summary>
internal sealed class HubUpload(HubConnection hub, string folder, HubRepository repository, HubUploadOptions options,
    IProgress<HubProgress>? progress, CancellationToken cancellation)
{
    private const long LargestFileBytes = 5_000_000_000; // of one S3 PUT
    private const int SampleBytes = 512;
    private const int FilesPerQuestion = 100;
    private const string LfsType = "application/vnd.git-lfs+json";
    private static readonly TimeSpan CommitTimeout = TimeSpan.FromMinutes(2);

    private sealed record LocalFile(string Name, string Path, long Length)
    {
        public string? LfsHash { get; set; }
    }

    public async Task<HubCommit> RunAsync()
    {
        if (!hub.Transport.HasToken)
            throw new HubException(HubErrorKind.Unauthorized, $"{repository}: an upload needs a token with write access. Set HF_TOKEN or HubOptions.Token.");
        var files = LocalFiles();
        hub.Logger.LogInformation(HubEvents.UploadStarted, "{Model}: uploading {Files} files, {Bytes} bytes", repository, files.Count, files.Sum(file => file.Length));
        if (options.CreateRepository) await CreateRepositoryAsync().ConfigureAwait(false);

        var large = await LargeFilesAsync(files).ConfigureAwait(false);
        var meter = new HubProgressMeter(progress, large.Sum(file => file.Length), hub.Options.TimeProvider);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = hub.Options.MaxParallelDownloads, CancellationToken = cancellation };
        await Parallel.ForEachAsync(large, parallel, async (file, stop) => await PutAsync(file, meter, stop).ConfigureAwait(false)).ConfigureAwait(false);
        if (large.Count > 0) meter.Finish(large[^1].Name);

        var commit = await CommitAsync(files).ConfigureAwait(false);
        hub.Logger.LogInformation(HubEvents.UploadFinished, "{Model}: commit {Commit}", repository, commit.Commit);
        return commit;
    }

    // Hidden files and half-written ones stay at home; a link counts as the file it leads to.
    private List<LocalFile> LocalFiles()
    {
        var files = new List<LocalFile>();
        foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var name = Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/');
            if (name.Split('/').Any(part => part.StartsWith('.') && part != ".gitattributes")
                || name.EndsWith(".incomplete", StringComparison.Ordinal) || name.EndsWith(IO.AtomicFile.PartialSuffix, StringComparison.Ordinal)) continue;
            HubFileName.Check(name, folder);
            using var file = File.OpenRead(path); // the length of what a link leads to
            if (file.Length > LargestFileBytes)
                throw new ArgumentException($"{path} has {file.Length.ToString(CultureInfo.InvariantCulture)} bytes; an upload takes files up to {LargestFileBytes.ToString(CultureInfo.InvariantCulture)}. Save the model in shards.");
            files.Add(new LocalFile(name, path, file.Length));
        }

        return files.Count > 0 ? files : throw new ArgumentException($"{folder} has no files to upload.");
    }

    private async Task CreateRepositoryAsync()
    {
        var parts = repository.Id.Split('/');
        var body = new JsonObject { ["type"] = "model", ["organization"] = parts[0], ["name"] = parts[1], ["private"] = options.Private };
        try
        {
            using var _ = await SendJsonAsync("api/repos/create", body, $"{repository}: creating it").ConfigureAwait(false);
        }
        catch (HubException e) when (e.StatusCode == System.Net.HttpStatusCode.Conflict)
        {
            // It exists, which is as good.
        }
    }

    private async Task<List<LocalFile>> LargeFilesAsync(List<LocalFile> files)
    {
        var large = new HashSet<string>(StringComparer.Ordinal);
        var what = $"{repository}: preparing the upload";
        foreach (var chunk in files.Chunk(FilesPerQuestion))
        {
            var body = new JsonObject { ["files"] = new JsonArray([.. chunk.Select(file => (JsonNode)new JsonObject { ["path"] = file.Name, ["size"] = file.Length, ["sample"] = Sample(file) })]) };
            using var answer = await SendJsonAsync(RevisionPath("preupload"), body, what).ConfigureAwait(false);
            foreach (var item in HubJson.Items(answer.RootElement, "files", what))
            {
                if (HubJson.Text(item, "uploadMode", what) == "lfs") large.Add(HubJson.Text(item, "path", what));
            }
        }

        return [.. files.Where(file => large.Contains(file.Name))];
    }

    private static string Sample(LocalFile file)
    {
        using var stream = File.OpenRead(file.Path);
        var bytes = new byte[Math.Min(SampleBytes, file.Length)];
        stream.ReadExactly(bytes);
        return Convert.ToBase64String(bytes);
    }

    // Each try asks for an address of its own: they expire.
    private async Task PutAsync(LocalFile file, HubProgressMeter meter, CancellationToken stop)
    {
        file.LfsHash = await HashAsync(file, stop).ConfigureAwait(false);
        await HubRetry.RunAsync(hub.NewRetry(), async () =>
        {
            var what = $"{repository}/{file.Name}: uploading";
            using var answer = await LfsBatchAsync(file, what, stop).ConfigureAwait(false);
            if (HubJson.Items(answer.RootElement, "objects", what).FirstOrDefault() is not { ValueKind: JsonValueKind.Object } item)
                throw new HubException(HubErrorKind.BadResponse, $"{what}: the Hub's answer is about no object.");
            if (item.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object)
                throw new HubException(HubErrorKind.Server, $"{what}: the Hub's storage says: {UntrustedText.Quote(HubJson.Optional(error, "message") ?? "nothing")}");
            if (!item.TryGetProperty("actions", out var actions) || actions.ValueKind != JsonValueKind.Object || !actions.TryGetProperty("upload", out var upload))
            {
                meter.Skip(file.Name, file.Length); // the Hub has it
                return true;
            }

            await SendFileAsync(file, upload, what, meter, stop).ConfigureAwait(false);
            if (actions.TryGetProperty("verify", out var verify)) await VerifyAsync(file, verify, what, stop).ConfigureAwait(false);
            return true;
        }, stop).ConfigureAwait(false);
    }

    private static async Task<string> HashAsync(LocalFile file, CancellationToken stop)
    {
        var stream = new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 18, FileOptions.SequentialScan | FileOptions.Asynchronous);
        await using (stream.ConfigureAwait(false))
        {
            return Convert.ToHexString(await SHA256.HashDataAsync(stream, stop).ConfigureAwait(false)).ToLowerInvariant();
        }
    }

    private Task<JsonDocument> LfsBatchAsync(LocalFile file, string what, CancellationToken stop)
    {
        var body = new JsonObject
        {
            ["operation"] = "upload",
            ["transfers"] = new JsonArray("basic"),
            ["hash_algo"] = "sha256",
            ["objects"] = new JsonArray(new JsonObject { ["oid"] = file.LfsHash, ["size"] = file.Length }),
        };
        if (!options.CreatePullRequest) body["ref"] = new JsonObject { ["name"] = options.Branch };
        return SendOnceAsync(hub.Transport.Address($"{repository}.git/info/lfs/objects/batch"), Utf8(body), what, LfsType, hub.MetadataTimeout, stop);
    }

    private async Task SendFileAsync(LocalFile file, JsonElement upload, string what, HubProgressMeter meter, CancellationToken stop)
    {
        var moved = 0L;
        using var content = new HubFileContent(file.Path, file.Length, bytes =>
        {
            moved += bytes;
            meter.Move(file.Name, bytes);
        });
        using var request = new HttpRequestMessage(HttpMethod.Put, ActionAddress(upload, what)) { Content = content };
        if (upload.TryGetProperty("header", out var headers) && headers.ValueKind == JsonValueKind.Object)
        {
            if (headers.TryGetProperty("chunk_size", out _))
                throw new HubException(HubErrorKind.BadResponse, $"{what}: the Hub wants a multipart transfer though only a basic one was offered. Save the model in shards below 5 GB.");
            foreach (var header in headers.EnumerateObject())
                request.Headers.TryAddWithoutValidation(header.Name, HubJson.Optional(headers, header.Name) ?? "");
        }

        try
        {
            using var _ = await hub.Transport.SendCheckedAsync(request, what, hub.DownloadTimeout, stop).ConfigureAwait(false);
        }
        catch (HubException e) when (e.IsTransient || e.IsStaleAddress)
        {
            meter.Skip(file.Name, -moved);
            throw e.IsTransient ? e : new HubException(e.Kind, e.Message, e) { IsTransient = true, StatusCode = e.StatusCode, RequestId = e.RequestId };
        }
    }

    private async Task VerifyAsync(LocalFile file, JsonElement verify, string what, CancellationToken stop)
    {
        var body = new JsonObject { ["oid"] = file.LfsHash, ["size"] = file.Length };
        using var request = new HttpRequestMessage(HttpMethod.Post, ActionAddress(verify, what)) { Content = HubJson.Body(Utf8(body), LfsType) };
        using var _ = await hub.Transport.SendCheckedAsync(request, what, hub.MetadataTimeout, stop).ConfigureAwait(false);
    }

    private static Uri ActionAddress(JsonElement action, string what) =>
        Uri.TryCreate(HubJson.Text(action, "href", what), UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new HubException(HubErrorKind.BadResponse, $"{what}: the Hub gave no usable address to send it to.");

    private async Task<HubCommit> CommitAsync(List<LocalFile> files)
    {
        var what = $"{repository}: committing";
        var body = await CommitBodyAsync(files).ConfigureAwait(false);
        using var answer = await HubRetry.RunAsync(hub.NewRetry(), async () =>
        {
            try
            {
                return await SendOnceAsync(hub.Transport.Address(RevisionPath("commit")), body, what, "application/x-ndjson", CommitTimeout, cancellation).ConfigureAwait(false);
            }
            catch (HubException e) when (e.Kind == HubErrorKind.Network)
            {
                // Sent again it could be made twice.
                throw new HubException(HubErrorKind.Network, $"{what}: {e.Message} It is not known whether the commit was made: look at the repository before trying again.", e);
            }
        }, cancellation).ConfigureAwait(false);

        return new HubCommit(repository.Id, HubJson.Text(answer.RootElement, "commitOid", what),
            Page(answer.RootElement, "commitUrl"), Page(answer.RootElement, "pullRequestUrl"));

        static Uri? Page(JsonElement element, string name) => Uri.TryCreate(HubJson.Optional(element, name), UriKind.Absolute, out var page) ? page : null;
    }

    private async Task<byte[]> CommitBodyAsync(List<LocalFile> files)
    {
        var lines = new StringBuilder();
        var header = new JsonObject { ["summary"] = options.Message, ["description"] = options.Description ?? "" };
        if (options.ParentCommit is { } parent) header["parentCommit"] = parent;
        Add("header", header);
        foreach (var file in files)
        {
            if (file.LfsHash is not null)
            {
                Add("lfsFile", new JsonObject { ["path"] = file.Name, ["algo"] = "sha256", ["oid"] = file.LfsHash, ["size"] = file.Length });
                continue;
            }

            var bytes = await File.ReadAllBytesAsync(file.Path, cancellation).ConfigureAwait(false);
            Add("file", new JsonObject { ["path"] = file.Name, ["encoding"] = "base64", ["content"] = Convert.ToBase64String(bytes) });
        }

        return Encoding.UTF8.GetBytes(lines.ToString());

        void Add(string key, JsonObject value) => lines.Append(new JsonObject { ["key"] = key, ["value"] = value }.ToJsonString()).Append('\n');
    }

    private Task<JsonDocument> SendJsonAsync(string path, JsonObject body, string what) => HubRetry.RunAsync(hub.NewRetry(),
        () => SendOnceAsync(hub.Transport.Address(path), Utf8(body), what, "application/json", hub.MetadataTimeout, cancellation), cancellation);

    private async Task<JsonDocument> SendOnceAsync(Uri address, byte[] body, string what, string type, TimeSpan timeout, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = HubJson.Body(body, type) };
        if (type == LfsType) request.Headers.Accept.ParseAdd(LfsType);
        using var response = await hub.Transport.SendCheckedAsync(request, what, timeout, stop).ConfigureAwait(false);
        return await HubJson.ReadAsync(response, what, timeout, stop).ConfigureAwait(false);
    }

    private string RevisionPath(string verb) =>
        $"api/models/{repository}/{verb}/{Uri.EscapeDataString(options.Branch)}" + (options.CreatePullRequest ? "?create_pr=1" : "");

    private static byte[] Utf8(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());
}
