// One file, from the Hub into the cache: under the blob's lock, into a partial file that a later run goes on with, checked
// against size and hash, then renamed. Nothing bears its final name before it is proven whole.

using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>The download of one file.</summary>
internal sealed class HubDownload
{
    private const int BufferBytes = 1 << 18;
    private const int MaxCorruptArrivals = 2; // a proxy that alters bytes alters them again

    private readonly HubConnection _hub;
    private readonly HubCacheLayout _layout;
    private readonly HubProgressMeter _meter;
    private readonly string _file;
    private readonly string _what;
    private readonly HubRetry _retry;
    private HubMetadata _metadata;
    private long _furthest; // the most bytes that were ever there: only what goes beyond is progress
    private long _counted; // bytes of this file that the meter knows of
    private bool _stale;

    public HubDownload(HubConnection hub, HubCacheLayout layout, string file, HubMetadata metadata, HubProgressMeter meter)
    {
        (_hub, _layout, _file, _metadata, _meter) = (hub, layout, file, metadata, meter);
        _what = $"{layout.Repository}/{file}";
        _retry = hub.NewRetry();
    }

    /// <summary>Makes the file show in its snapshot.</summary>
    /// <returns>Its path there.</returns>
    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var pointer = _layout.Pointer(_metadata.Commit, _file);
        _layout.Prepare(_metadata.Commit, _metadata.ETag);
        using var held = await HubFileLock.AcquireAsync(_layout.Lock(_metadata.ETag), _hub.Options.TimeProvider,
            () => _hub.Logger.LogInformation(HubEvents.WaitingForLock, "{File}: another process is downloading it; waiting", _what), cancellation).ConfigureAwait(false);

        if (_layout.Has(_metadata.Commit, _file)) // somebody made it while we waited
        {
            Count(_metadata.Size ?? 0);
            return pointer;
        }

        if (HasBlob())
        {
            _hub.Logger.LogDebug(HubEvents.FromCache, "{File}: content {ETag} is in the cache", _what, _metadata.ETag);
            _layout.Link(_metadata.Commit, _file, _metadata.ETag);
            Count(_metadata.Size ?? 0);
            return pointer;
        }

        await FetchAsync(cancellation).ConfigureAwait(false);
        _layout.Publish(_metadata.Commit, _file, _metadata.ETag);
        _hub.Logger.LogInformation(HubEvents.DownloadFinished, "{File}: {Bytes} bytes, {ETag}", _what, _counted, _metadata.ETag);
        return pointer;
    }

    private bool HasBlob()
    {
        var blob = new FileInfo(_layout.Blob(_metadata.ETag));
        if (!HubCacheLayout.FileExists(blob.FullName)) return false;
        if (_metadata.Size is null || blob.Length == _metadata.Size || blob.LinkTarget is not null) return true;
        StartedOver("the cached content has a wrong size");
        return false;
    }

    // Until the partial file is whole and proven, or the tries are used up.
    private async Task FetchAsync(CancellationToken cancellation)
    {
        var path = _layout.Partial(_metadata.ETag);
        if (new FileInfo(path).LinkTarget is not null) File.Delete(path); // it would lead what we write elsewhere
        using var partial = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, useAsync: true);
        _hub.Logger.LogInformation(HubEvents.DownloadStarted, "{File}: {Have} of {Size} bytes are there", _what, partial.Length, _metadata.Size);

        for (var corrupt = 0; ;)
        {
            await HubRetry.RunAsync(_retry, async () =>
            {
                await TransferAsync(partial, cancellation).ConfigureAwait(false);
                return true;
            }, cancellation).ConfigureAwait(false);

            if (await FaultOfAsync(partial, cancellation).ConfigureAwait(false) is not { } fault) break;
            Truncate(partial, fault.Message);
            if (++corrupt == MaxCorruptArrivals) throw fault;
            _furthest = 0;
        }

        partial.Flush(flushToDisk: true);
    }

    // One connection: asks for what is missing and appends what comes.
    private async Task TransferAsync(FileStream partial, CancellationToken cancellation)
    {
        if (partial.Length > (_metadata.Size ?? long.MaxValue)) Truncate(partial, "the partial file is longer than the file");
        if (_metadata.Size is null) Truncate(partial, "without a size there is nothing to go on from");
        _furthest = Math.Max(_furthest, partial.Length);
        Count(partial.Length);
        if (partial.Length == _metadata.Size) return;
        CheckRoom(partial);

        using var response = await OpenAsync(partial, cancellation).ConfigureAwait(false);
        var body = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            await CopyAsync(body, partial, cancellation).ConfigureAwait(false);
        }

        if (partial.Length < _metadata.Size)
            throw Broken($"the connection ended after {Text(partial.Length)} of {Text(_metadata.Size.Value)} bytes.");
    }

    private async Task<HttpResponseMessage> OpenAsync(FileStream partial, CancellationToken cancellation)
    {
        if (_stale) await ResolveAgainAsync(cancellation).ConfigureAwait(false);
        var start = partial.Length;
        HttpResponseMessage response;
        try
        {
            response = await _hub.Transport.GetAsync(_metadata.Location, start > 0 ? new RangeHeaderValue(start, null) : null,
                _what, _hub.DownloadTimeout, cancellation).ConfigureAwait(false);
        }
        catch (HubException e) when (e.IsStaleAddress)
        {
            _stale = true;
            throw Broken($"its address is no longer valid. {e.Message}", e);
        }
        catch (HubException e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            Truncate(partial, "the server can't go on from there");
            throw Broken(e.Message, e);
        }

        try
        {
            CheckAnswer(response, partial);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    // The answer must be the bytes from where we are, to the end, as they are in the file.
    private void CheckAnswer(HttpResponseMessage response, FileStream partial)
    {
        var headers = response.Content.Headers;
        if (headers.ContentEncoding.Any(encoding => !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase)))
            throw Broken($"the server sends it encoded ({UntrustedText.Quote(string.Join(", ", headers.ContentEncoding))}) though asked not to. Does a proxy change its answers?");

        if (response.StatusCode == HttpStatusCode.PartialContent)
        {
            var range = headers.ContentRange;
            if (partial.Length > 0 && range?.From == partial.Length && (range.Length is null || _metadata.Size is null || range.Length == _metadata.Size)) return;
            var asked = partial.Length;
            Truncate(partial, "the server answered another range");
            throw Broken($"asked for bytes from {Text(asked)}, the server sends {UntrustedText.Quote(range?.ToString() ?? "a range without saying which")}.");
        }

        if (response.StatusCode != HttpStatusCode.OK) throw Broken($"the server answered {Text((int)response.StatusCode)} to a request for content.");
        if (partial.Length > 0) Truncate(partial, "the server sends it from the beginning");
        if (_metadata.Size is { } size && headers.ContentLength is { } length && length != size)
            throw Broken($"the Hub announced {Text(size)} bytes, the server sends {Text(length)}.");
    }

    private async Task CopyAsync(Stream body, FileStream partial, CancellationToken cancellation)
    {
        var buffer = new byte[BufferBytes];
        partial.Position = partial.Length;
        while (true)
        {
            var read = await ReadAsync(body, buffer, cancellation).ConfigureAwait(false);
            if (read == 0) return;
            if (partial.Position + read > (_metadata.Size ?? long.MaxValue))
            {
                Truncate(partial, "more bytes came than the file has");
                throw Broken($"the server sends more than the announced {Text(_metadata.Size!.Value)} bytes.");
            }

            await partial.WriteAsync(buffer.AsMemory(0, read), cancellation).ConfigureAwait(false);
            _counted += read;
            _meter.Move(_file, read);
            if (partial.Position <= _furthest) continue;
            _furthest = partial.Position;
            _retry.Progressed();
        }
    }

    private async Task<int> ReadAsync(Stream body, byte[] buffer, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(_hub.DownloadTimeout);
        try
        {
            return await body.ReadAsync(buffer, deadline.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (HubErrors.IsConnectionFailure(e) && !cancellation.IsCancellationRequested)
        {
            throw HubErrors.NoAnswer(_metadata.Location, _hub.DownloadTimeout, e);
        }
    }

    // An address from the Hub is signed and expires; the commit is fixed, so the content behind it must be the same.
    private async Task ResolveAgainAsync(CancellationToken cancellation)
    {
        var again = await _hub.GetMetadataAsync(_layout.Repository, _metadata.Commit, _file, cancellation, maxTries: 1).ConfigureAwait(false);
        if (again.ETag != _metadata.ETag || again.Commit != _metadata.Commit)
            throw new HubException(HubErrorKind.BadResponse,
                $"{_what}: its ETag changed from {_metadata.ETag} to {again.ETag} while commit {_metadata.Commit} was being downloaded; a commit can't change. Try again; if it stays so, ask the operators of the Hub.");
        _metadata = again with { Size = _metadata.Size ?? again.Size };
        _stale = false;
    }

    private async Task<HubException?> FaultOfAsync(FileStream partial, CancellationToken cancellation)
    {
        if (!HubHash.IsHash(_metadata.ETag))
        {
            _hub.Logger.LogWarning(HubEvents.Unverified, "{File}: the ETag {ETag} is no hash; only the size was checked", _what, _metadata.ETag);
            return null;
        }

        var actual = await HubHash.ComputeAsync(partial, _metadata.ETag, cancellation).ConfigureAwait(false);
        if (string.Equals(actual, _metadata.ETag, StringComparison.OrdinalIgnoreCase)) return null;
        return new HubException(HubErrorKind.Corrupt,
            $"{_what}: the {Text(partial.Length)} bytes that arrived have the hash {actual}; the Hub announced {_metadata.ETag}. Nothing was kept. Something between here and the Hub alters or mixes up content.");
    }

    private void CheckRoom(FileStream partial)
    {
        if (_metadata.Size is not { } size || HubDisk.FreeBytes(partial.Name) is not { } free || free >= size - partial.Length) return;
        throw new HubException(HubErrorKind.DiskFull,
            $"{partial.Name}: {Text(size - partial.Length)} bytes are still to come, the disk has room for {Text(free)}. Free some, or choose another disk with HF_HUB_CACHE or HubOptions.CacheDirectory.");
    }

    private void Truncate(FileStream partial, string why)
    {
        if (partial.Length == 0) return;
        StartedOver(why);
        partial.SetLength(0);
        partial.Position = 0;
        Count(0);
    }

    // Tells the meter how much of this file is there now, without calling it speed.
    private void Count(long there)
    {
        _meter.Skip(_file, there - _counted);
        _counted = there;
    }

    private void StartedOver(string why) =>
        _hub.Logger.LogWarning(HubEvents.StartedOver, "{File}: starting over, as {Reason}", _what, _hub.Transport.Redact(why));

    private HubException Broken(string message, Exception? cause = null) =>
        new(cause is HubException inner ? inner.Kind : HubErrorKind.BadResponse, $"{_what}: {message}", cause) { IsTransient = true };

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
