// The loopback Hub's answers for files: HEAD and GET of /{repository}/resolve/{revision}/{file}, and the CDN behind it.

using Microsoft.AspNetCore.Http;

namespace NanoGpt.EndToEnd.Hub;

internal static class HubContentAnswers
{
    /// <summary>Metadata with the real Hub's headers; small files at once, large ones by a redirect to the CDN.</summary>
    public static async Task ResolveAsync(LoopbackHub hub, HttpContext http, HubRequest request)
    {
        // /owner/name/resolve/revision/folder/file; the revision arrives with %2F in it.
        var raw = http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget.Split('?')[0];
        var at = raw.IndexOf("/resolve/", StringComparison.Ordinal);
        if (at < 0)
        {
            LoopbackHub.Refuse(http, 404, null, "Not a page");
            return;
        }

        var id = raw[1..at];
        var rest = raw[(at + "/resolve/".Length)..].Split('/', 2);
        var (revision, name) = (Uri.UnescapeDataString(rest[0]), Uri.UnescapeDataString(rest.ElementAtOrDefault(1) ?? ""));
        if (hub.Repositories.TryGetValue(id, out var old) && old.RenamedTo is { } renamed)
        {
            http.Response.StatusCode = 307;
            http.Response.Headers.Location = $"/{renamed}{raw[at..]}";
            return;
        }

        if (hub.Open(http, id) is not { } repository) return;
        if (repository.Resolve(revision) is not { } commit)
        {
            LoopbackHub.Refuse(http, 404, "RevisionNotFound", "Invalid rev id: " + revision);
            return;
        }

        http.Response.Headers["X-Repo-Commit"] = commit;
        if (!repository.Files(commit).TryGetValue(name, out var file))
        {
            LoopbackHub.Refuse(http, 404, "EntryNotFound", "Entry not found");
            return;
        }

        var fault = hub.Fault?.Invoke(request);
        if (fault is not null && await fault.BeforeAsync(hub, http, file)) return;
        http.Response.Headers.ETag = $"\"{file.ETag}\"";
        if (file.IsLfs)
        {
            http.Response.Headers["X-Linked-Etag"] = $"\"{file.ETag}\"";
            http.Response.Headers["X-Linked-Size"] = LoopbackHub.Number(file.Content.Length);
            http.Response.StatusCode = 302;
            http.Response.Headers.Location = $"{hub.CdnAddress}/cdn/{id}/{commit}/{Uri.EscapeDataString(name)}?X-Amz-Signature=SignedSecret&Expires=1";
            fault?.Headers(http, file);
            return;
        }

        await SendAsync(hub, http, request, file, fault);
    }

    /// <summary>Content of large files: no Hub headers, ETags of its own, ranges.</summary>
    public static async Task CdnAsync(LoopbackHub hub, HttpContext http, HubRequest request)
    {
        var parts = request.Path["/cdn/".Length..].Split('/');
        var at = Array.FindIndex(parts, part => part.Length == 40);
        var repository = hub.Repositories[string.Join('/', parts[..at])];
        var file = repository.Files(parts[at])[Uri.UnescapeDataString(string.Join('/', parts[(at + 1)..]))];
        var fault = hub.Fault?.Invoke(request);
        if (fault is not null && await fault.BeforeAsync(hub, http, file)) return;
        http.Response.Headers.ETag = "\"cdn-" + file.ETag[..16] + "-2\"";
        await SendAsync(hub, http, request, file, fault);
    }

    private static async Task SendAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, HubFault? fault)
    {
        var length = file.Content.Length;
        var start = RangeStart(request.Range, out var end);
        if (start >= length && request.Range is not null)
        {
            http.Response.StatusCode = 416;
            http.Response.Headers.ContentRange = $"bytes */{LoopbackHub.Number(length)}";
            return;
        }

        var stop = Math.Min(end ?? long.MaxValue, length - 1) + 1;
        http.Response.Headers.AcceptRanges = "bytes";
        if (request.Range is not null)
        {
            http.Response.StatusCode = 206;
            http.Response.Headers.ContentRange = $"bytes {LoopbackHub.Number(start)}-{LoopbackHub.Number(stop - 1)}/{LoopbackHub.Number(length)}";
        }

        http.Response.ContentLength = stop - start;
        fault?.Headers(http, file);
        if (request.Method == "HEAD") return;
        if (fault is not null) await fault.BodyAsync(hub, http, request, file, start, stop);
        else await CopyAsync(http, request, file, start, stop);
    }

    public static async Task CopyAsync(HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        var buffer = new byte[Math.Min(1 << 18, Math.Max(1, stop - start))];
        for (var at = start; at < stop;)
        {
            var count = (int)Math.Min(buffer.Length, stop - at);
            file.Content.Read(at, buffer.AsSpan(0, count));
            await http.Response.Body.WriteAsync(buffer.AsMemory(0, count), http.RequestAborted);
            at += count;
            request.BytesSent += count;
        }
    }

    private static long RangeStart(string? range, out long? end)
    {
        end = null;
        if (range is null) return 0;
        var parts = range["bytes=".Length..].Split('-');
        if (parts[1].Length > 0) end = long.Parse(parts[1]);
        return long.Parse(parts[0]);
    }
}
