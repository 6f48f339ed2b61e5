// A file as the body of an upload, streamed, with a sign of life at each piece: an upload has no time limit as a whole.

using System.Net;

namespace NanoGpt.Hub;

/// <summary>The body of an upload.</summary>
internal sealed class HubFileContent(string path, long length, Action<int> moved) : HttpContent
{
    private const int BufferBytes = 1 << 18;

    /// <summary>Called at each piece; the transport puts its deadline off.</summary>
    public Action? KeepAlive { get; set; }

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long contentLength)
    {
        contentLength = length;
        return true;
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    /// <inheritdoc/>
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan | FileOptions.Asynchronous);
        await using (file.ConfigureAwait(false))
        {
            var buffer = new byte[BufferBytes];
            int read;
            while ((read = await file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                KeepAlive?.Invoke();
                moved(read);
            }
        }
    }
}
