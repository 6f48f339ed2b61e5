// What can go wrong between this program, the Hub and the cache, in one exception with a kind to switch on. Holds no
// token and no signed address: messages are made of repository names, paths and statuses only.

using System.Net;

namespace NanoGpt.Hub;

/// <summary>What a <see cref="HubException"/> is about, and with it what to do next.</summary>
public enum HubErrorKind
{
    /// <summary>The Hub could not be reached, or the connection broke more often than was allowed for.</summary>
    Network,

    /// <summary>Only the cache may be used (offline), and it doesn't have what was asked for.</summary>
    NotCached,

    /// <summary>The repository doesn't exist, or it is private and the token doesn't open it: the Hub doesn't say which.</summary>
    RepositoryNotFound,

    /// <summary>The repository exists, but has no such branch, tag or commit.</summary>
    RevisionNotFound,

    /// <summary>The revision exists, but has no such file.</summary>
    FileNotFound,

    /// <summary>The repository's owner grants access on request only.</summary>
    Gated,

    /// <summary>The Hub has disabled the repository.</summary>
    Disabled,

    /// <summary>The token is missing, malformed, or doesn't allow this.</summary>
    Unauthorized,

    /// <summary>The Hub asks to wait for longer than <see cref="HubOptions.MaxRateLimitWait"/>.</summary>
    RateLimited,

    /// <summary>The server answered with an error of its own.</summary>
    Server,

    /// <summary>The server's answer breaks the protocol: a header is missing or contradicts another.</summary>
    BadResponse,

    /// <summary>The bytes that arrived are not those that the Hub announced.</summary>
    Corrupt,

    /// <summary>The disk has no room for the file.</summary>
    DiskFull,

    /// <summary>The cache folder can't be read or written.</summary>
    Cache,

    /// <summary>A name that came from outside is not one to make a file of.</summary>
    UnsafeName,

    /// <summary>The repository has no model in a format that this library reads.</summary>
    UnsupportedModel,
}

/// <summary>The Hub, or the cache of it, could not give or take what was asked.</summary>
/// <remarks>Never contains a token, nor the signed part of an address.</remarks>
public sealed class HubException : NanoGptException
{
    internal HubException(HubErrorKind kind, string message, Exception? innerException = null)
        : base(message, innerException) => Kind = kind;

    /// <summary>What it is about.</summary>
    public HubErrorKind Kind { get; }

    /// <summary>The HTTP status, where the server gave one.</summary>
    public HttpStatusCode? StatusCode { get; internal init; }

    /// <summary>The Hub's id of the request (X-Request-Id), to quote in a question to its operators; null where none came.</summary>
    public string? RequestId { get; internal init; }

    /// <summary>True where the same request may succeed later.</summary>
    internal bool IsTransient { get; init; }

    /// <summary>How long the server asks to wait before the next request; null where it doesn't say.</summary>
    internal TimeSpan? RetryAfter { get; init; }

    /// <summary>True where the Hub itself said that the revision has no such file, which is worth remembering.</summary>
    internal bool IsEntryNotFound { get; init; }

    /// <summary>The commit that the answer was about, where it says so.</summary>
    internal string? Commit { get; init; }

    /// <summary>True where the address of the content has expired and must be asked for again.</summary>
    internal bool IsStaleAddress { get; init; }
}
