// What the Hub says about a file before it is downloaded: commit, name of the content, size, address. Everything in it
// comes from outside and is checked here, once.

using System.Net.Http.Headers;
using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>The headers of one answer on the way to a file, copied out of the response.</summary>
internal sealed class HubHead
{
    public HubHead(HttpResponseMessage response, Uri target, bool isRedirect)
    {
        Target = target;
        Commit = Header(response.Headers, "X-Repo-Commit");
        ETag = Header(response.Headers, "X-Linked-Etag") ?? Header(response.Headers, "ETag");
        Size = long.TryParse(Header(response.Headers, "X-Linked-Size"), System.Globalization.CultureInfo.InvariantCulture, out var size) ? size : null;
        if (!isRedirect && response.Content.Headers.ContentEncoding.Count == 0) Size ??= response.Content.Headers.ContentLength;
        RequestId = HubErrors.RequestId(response);
    }

    /// <summary>Where the content is: the redirect's target, or the address itself.</summary>
    public Uri Target { get; }

    public string? Commit { get; }

    public string? ETag { get; }

    public long? Size { get; }

    public string? RequestId { get; }

    private static string? Header(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) && values.ToString() is { Length: > 0 } value ? value : null;
}

/// <summary>A file of a commit, as the Hub describes it.</summary>
/// <param name="Commit">40 hexadecimal digits.</param>
/// <param name="ETag">The name of the content; a hash of it on the Hub itself. Safe as a file name.</param>
/// <param name="Size">Bytes; null where the server doesn't say.</param>
/// <param name="Location">Where the content is; may expire.</param>
internal sealed record HubMetadata(string Commit, string ETag, long? Size, Uri Location)
{
    /// <summary>Reads the answers to a HEAD, the last first: what the last doesn't say, one before it may have said.</summary>
    /// <exception cref="HubException">Something is missing or can't be true.</exception>
    public static HubMetadata From(IReadOnlyList<HubHead> heads, string what)
    {
        var commit = heads.Select(head => head.Commit).FirstOrDefault(value => value is not null);
        var etag = Unquote(heads.Select(head => head.ETag).FirstOrDefault(value => value is not null));
        var size = heads.Select(head => head.Size).FirstOrDefault(value => value is not null);

        if (commit is null || !HubRepository.IsCommit(commit)) throw Bad("X-Repo-Commit", commit, "a commit of 40 hexadecimal digits");
        if (etag is null || etag.Length > 128 || !etag.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || FileNames.FaultOf(etag) is not null)
            throw Bad("ETag", etag, "a hash");
        if (size is < 0) throw Bad("X-Linked-Size", size.Value.ToString(System.Globalization.CultureInfo.InvariantCulture), "a size in bytes");
        if (size is null && !HubHash.IsHash(etag)) throw Bad("Content-Length", null, "a size, as the ETag is no hash");
        return new HubMetadata(commit, etag, size, heads[0].Target);

        HubException Bad(string header, string? value, string expected) => new(HubErrorKind.BadResponse,
            $"{what}: the answer's {header} is {(value is null ? "missing" : UntrustedText.Quote(value))}; expected {expected}. Is the endpoint a Hugging Face Hub, and does a proxy between change its answers?")
        {
            RequestId = heads[0].RequestId,
        };
    }

    private static string? Unquote(string? etag)
    {
        if (etag is null) return null;
        if (etag.StartsWith("W/", StringComparison.Ordinal)) etag = etag[2..];
        return etag.Trim('"');
    }
}
