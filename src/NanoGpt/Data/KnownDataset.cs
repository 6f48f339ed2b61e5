// Datasets that can be downloaded by name: where from, and what exactly has to arrive.

using System.Security.Cryptography;
using NanoGpt.IO;

namespace NanoGpt.Data;

/// <summary>A file on the web that a dataset is made of.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its SHA-256 in hexadecimal digits.</param>
internal sealed record KnownDataset(Uri Url, long Bytes, string Sha256)
{
    private static readonly KnownDataset TinyShakespeare = new(
        new Uri("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"),
        1_115_394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed");

    /// <summary>The file of a dataset by nanoGPT's name for it, or null.</summary>
    public static KnownDataset? Find(string dataset) => dataset is "shakespeare" or "shakespeare_char" ? TinyShakespeare : null;

    /// <summary>Downloads the file unless it is there already. It is whole or there is an exception.</summary>
    /// <exception cref="ModelFormatException">There is no network, or something else arrived.</exception>
    public async Task DownloadAsync(string path, HttpMessageHandler? handler, IProgress<PreparationProgress>? progress, CancellationToken cancellationToken)
    {
        if (IsWhole(path)) return;
        using var http = handler is null ? new HttpClient() : new HttpClient(handler, disposeHandler: false);
        try
        {
            var content = await ReadAsync(http, progress, cancellationToken).ConfigureAwait(false);
            if (content.Length != Bytes || !HasHash(SHA256.HashData(content)))
                throw Failed($"{content.Length} bytes arrived that are not the file; expected {Bytes} bytes with SHA-256 {Sha256}", null);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            AtomicFile.WriteAllBytes(path, content);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Failed("no answer in time", e);
        }
        catch (Exception e) when (e is HttpRequestException or HttpIOException)
        {
            throw Failed(e.Message, e);
        }
    }

    private async Task<byte[]> ReadAsync(HttpClient http, IProgress<PreparationProgress>? progress, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(Url, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        using var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var content = new byte[Bytes + 1]; // one more, to see that it ends where it should
        var length = 0;
        while (length < content.Length)
        {
            var read = await body.ReadAsync(content.AsMemory(length), cancellationToken).ConfigureAwait(false);
            if (read == 0) break;
            length += read;
            progress?.Report(new PreparationProgress("Downloading", PreparationUnit.Bytes, length, Bytes));
        }

        return content[..length];
    }

    private bool IsWhole(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length != Bytes) return false;
        using var stream = File.OpenRead(path);
        return HasHash(SHA256.HashData(stream));
    }

    private bool HasHash(byte[] hash) => hash.AsSpan().SequenceEqual(Convert.FromHexString(Sha256));

    private ModelFormatException Failed(string why, Exception? cause) =>
        new($"{Url}: could not be downloaded: {why}. Without a network, get the file elsewhere and name it: --input=FILE (in code: Input).", cause);
}
