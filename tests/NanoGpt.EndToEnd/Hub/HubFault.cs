// Everything that can be wrong with an answer. A fault sees an answer at three points: before anything is decided, when its
// headers are set, and instead of its body.

using System.IO.Compression;
using Microsoft.AspNetCore.Http;

namespace NanoGpt.EndToEnd.Hub;

/// <summary>Does nothing; its children do.</summary>
internal class HubFault
{
    /// <summary>Answers in place of the Hub.</summary>
    /// <returns>True where the answer is done.</returns>
    public virtual ValueTask<bool> BeforeAsync(LoopbackHub hub, HttpContext http, HubRepoFile file) => ValueTask.FromResult(false);

    /// <summary>Changes headers that are set.</summary>
    public virtual void Headers(HttpContext http, HubRepoFile file)
    {
    }

    /// <summary>Sends the body, the bytes from <paramref name="start"/> to <paramref name="stop"/>.</summary>
    public virtual Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop) =>
        HubContentAnswers.CopyAsync(http, request, file, start, stop);

    protected static async Task SendSomeAsync(HttpContext http, HubRequest request, HubRepoFile file, long start, long stop, double fraction)
    {
        await HubContentAnswers.CopyAsync(http, request, file, start, start + (long)((stop - start) * fraction));
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }
}

/// <summary>The connection breaks after a part of the body.</summary>
internal sealed class DropFault(double after) : HubFault
{
    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        await SendSomeAsync(http, request, file, start, stop, after);
        http.Abort();
    }
}

/// <summary>The connection breaks before an answer.</summary>
internal sealed class HangUpFault : HubFault
{
    public override ValueTask<bool> BeforeAsync(LoopbackHub hub, HttpContext http, HubRepoFile file)
    {
        http.Abort();
        return ValueTask.FromResult(true);
    }
}

/// <summary>The server goes silent after a part of the body, and the connection stays.</summary>
internal sealed class StallFault(double after) : HubFault
{
    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        await SendSomeAsync(http, request, file, start, stop, after);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, hub.Stopping);
        await Task.Delay(Timeout.Infinite, either.Token);
    }
}

/// <summary>The server is silent from the start.</summary>
internal sealed class SilenceFault : HubFault
{
    public override async ValueTask<bool> BeforeAsync(LoopbackHub hub, HttpContext http, HubRepoFile file)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, hub.Stopping);
        await Task.Delay(Timeout.Infinite, either.Token);
        return true;
    }
}

/// <summary>The body comes in crumbs, with pauses.</summary>
internal sealed class TrickleFault(int crumbs, int pauseMilliseconds) : HubFault
{
    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        for (var i = 0; i < crumbs; i++)
        {
            var (from, to) = (start + (stop - start) * i / crumbs, start + (stop - start) * (i + 1) / crumbs);
            await HubContentAnswers.CopyAsync(http, request, file, from, to);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            await Task.Delay(pauseMilliseconds, http.RequestAborted);
        }
    }
}

/// <summary>The body ends early as if that were all: no length, a proper end.</summary>
internal sealed class TruncateFault(double after) : HubFault
{
    public override void Headers(HttpContext http, HubRepoFile file) => http.Response.ContentLength = null;

    public override Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop) =>
        SendSomeAsync(http, request, file, start, stop, after);
}

/// <summary>More bytes come than the file has.</summary>
internal sealed class OverlongFault(int extra) : HubFault
{
    public override void Headers(HttpContext http, HubRepoFile file) => http.Response.ContentLength = null;

    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        await HubContentAnswers.CopyAsync(http, request, file, start, stop);
        await http.Response.Body.WriteAsync(new byte[extra], http.RequestAborted);
    }
}

/// <summary>One bit is another.</summary>
internal sealed class FlipFault(double at) : HubFault
{
    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        if (stop == start) return;
        var bytes = new byte[stop - start];
        file.Content.Read(start, bytes);
        bytes[(int)(at * (bytes.Length - 1))] ^= 0x10;
        await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
        request.BytesSent += bytes.Length;
    }
}

/// <summary>The length in the head is not the file's, and the body is as long as the head says.</summary>
internal sealed class LengthFault(int difference) : HubFault
{
    public override void Headers(HttpContext http, HubRepoFile file)
    {
        if (http.Response.Headers.ContainsKey("X-Linked-Size"))
            http.Response.Headers["X-Linked-Size"] = LoopbackHub.Number(Math.Max(0, file.Content.Length + difference));
        if (http.Response.ContentLength is { } length) http.Response.ContentLength = Math.Max(0, length + difference);
    }

    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        var bytes = new byte[http.Response.ContentLength!.Value];
        file.Content.Read(start, bytes.AsSpan(0, (int)Math.Min(bytes.Length, stop - start)));
        await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
        request.BytesSent += bytes.Length;
    }
}

/// <summary>Another range than the one asked for, with or without owning up to it.</summary>
internal sealed class RangeFault(int shift, bool admits) : HubFault
{
    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        if (start == 0) await HubContentAnswers.CopyAsync(http, request, file, start, stop);
        else
        {
            var from = Math.Clamp(start + shift, 0, stop - 1);
            var to = Math.Min(stop, from + (stop - start));
            http.Response.ContentLength = to - from;
            if (admits) http.Response.Headers.ContentRange = $"bytes {LoopbackHub.Number(from)}-{LoopbackHub.Number(to - 1)}/{LoopbackHub.Number(file.Content.Length)}";
            await HubContentAnswers.CopyAsync(http, request, file, from, to);
        }
    }
}

/// <summary>Ranges are not understood: all of it, from the beginning.</summary>
internal sealed class IgnoreRangeFault(double dropAfter) : HubFault
{
    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        http.Response.StatusCode = 200;
        http.Response.Headers.ContentRange = default;
        http.Response.ContentLength = file.Content.Length;
        await SendSomeAsync(http, request, file, 0, file.Content.Length, dropAfter);
        if (dropAfter < 1) http.Abort();
    }
}

/// <summary>Compressed although asked not to, and without a length.</summary>
internal sealed class GzipFault : HubFault
{
    public override void Headers(HttpContext http, HubRepoFile file)
    {
        http.Response.ContentLength = null;
        http.Response.Headers.ContentEncoding = "gzip";
        if (!http.Response.Headers.ContainsKey("X-Linked-Etag")) http.Response.Headers.ETag = $"W/\"{file.ETag}\"";
    }

    public override async Task BodyAsync(LoopbackHub hub, HttpContext http, HubRequest request, HubRepoFile file, long start, long stop)
    {
        var bytes = new byte[stop - start];
        file.Content.Read(start, bytes);
        await using var gzip = new GZipStream(http.Response.Body, CompressionLevel.Fastest);
        await gzip.WriteAsync(bytes, http.RequestAborted);
    }
}

/// <summary>An error status, with or without a wish for when to come back.</summary>
internal sealed class StatusFault(int status, string? header = null, string? value = null) : HubFault
{
    public override ValueTask<bool> BeforeAsync(LoopbackHub hub, HttpContext http, HubRepoFile file)
    {
        http.Response.StatusCode = status;
        if (header is not null) http.Response.Headers[header] = value;
        return ValueTask.FromResult(true);
    }
}

/// <summary>A redirect to somewhere: to itself, to another host, to nowhere.</summary>
internal sealed class RedirectFault(Func<LoopbackHub, HttpContext, string?> location, int status = 302) : HubFault
{
    public override ValueTask<bool> BeforeAsync(LoopbackHub hub, HttpContext http, HubRepoFile file)
    {
        http.Response.StatusCode = status;
        if (location(hub, http) is { } target) http.Response.Headers.Location = target;
        return ValueTask.FromResult(true);
    }
}

/// <summary>One header is missing or other than it should be.</summary>
internal sealed class HeaderFault(string name, string? value) : HubFault
{
    public override void Headers(HttpContext http, HubRepoFile file)
    {
        if (value is null) http.Response.Headers.Remove(name);
        else http.Response.Headers[name] = value;
    }
}
