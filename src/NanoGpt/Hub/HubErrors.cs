// From a failed request to a HubException that says what to do. What a server says about itself is quoted with the token
// blotted out, should it send it back to us.

using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoGpt.Hub;

/// <summary>Reads failures.</summary>
internal sealed partial class HubErrors(string? token)
{
    private const int LongestQuote = 300;

    /// <summary>An address for people: without user, query and fragment, where signatures are.</summary>
    public static string Show(Uri uri) => uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);

    /// <summary>The id by which the Hub's operators find a request.</summary>
    public static string? RequestId(HttpResponseMessage response)
    {
        foreach (var name in (string[])["X-Request-Id", "X-Amz-Cf-Id"])
        {
            if (response.Headers.NonValidated.TryGetValues(name, out var values) && values.ToString() is { Length: > 0 and <= 128 } id && !id.Any(char.IsControl))
                return id;
        }

        return null;
    }

    /// <summary>Whether an exception means that the connection, or the server's use of it, failed.</summary>
    public static bool IsConnectionFailure(Exception e) => e is HttpRequestException or IOException or OperationCanceledException;

    /// <summary>No answer came, or it broke off.</summary>
    public static HubException NoAnswer(Uri uri, TimeSpan timeout, Exception cause) => new(HubErrorKind.Network,
        cause is OperationCanceledException
            ? string.Create(CultureInfo.InvariantCulture, $"{Show(uri)}: no answer within {timeout.TotalSeconds:0.#} s.")
            : $"{Show(uri)}: {cause.Message}", cause)
    {
        IsTransient = true,
    };

    /// <summary>The server answered with an error.</summary>
    /// <param name="response">Its head is enough.</param>
    /// <param name="what">What was asked for, in words.</param>
    /// <param name="hasToken">Whether a token was configured.</param>
    /// <param name="isHub">False where the answer comes from a host that the Hub sent us to.</param>
    public HubException From(HttpResponseMessage response, string what, bool hasToken, bool isHub)
    {
        var status = (int)response.StatusCode;
        var code = Header(response, "X-Error-Code");
        var said = Header(response, "X-Error-Message");
        var (kind, message) = (code, status) switch
        {
            ("RepoNotFound", _) => (HubErrorKind.RepositoryNotFound, NotFoundOrPrivate(hasToken)),
            ("RevisionNotFound", _) => (HubErrorKind.RevisionNotFound, "the repository has no such branch, tag or commit."),
            ("EntryNotFound", _) => (HubErrorKind.FileNotFound, "this revision has no such file."),
            ("GatedRepo", _) => (HubErrorKind.Gated, Gated(hasToken)),
            _ when said == "Access to this resource is disabled." => (HubErrorKind.Disabled, "the Hub has disabled access to this repository."),
            (_, 401) when isHub && hasToken && said is not null && said.StartsWith("Invalid credentials", StringComparison.Ordinal) =>
                (HubErrorKind.Unauthorized, "the token is not valid: it may have expired. Make a new one in the Hub's settings."),
            (_, 401) when isHub => (HubErrorKind.RepositoryNotFound, NotFoundOrPrivate(hasToken)),
            (_, 403) when isHub => (HubErrorKind.Unauthorized, "access denied: the token doesn't allow this. Check its permissions in the Hub's settings."),
            (_, 404) when isHub => (HubErrorKind.FileNotFound, "not found, and the server doesn't say what. Check the id, the revision and the endpoint."),
            (_, 429) => (HubErrorKind.RateLimited, hasToken ? "too many requests." : "too many requests; with a token (HF_TOKEN) the Hub allows more."),
            (_, >= 500) => (HubErrorKind.Server, "the server failed."),
            _ => (HubErrorKind.Server, "the server refused the request."),
        };

        return new HubException(kind, Compose(what, status, message, said, RequestId(response)))
        {
            StatusCode = response.StatusCode,
            RequestId = RequestId(response),
            Commit = Header(response, "X-Repo-Commit") is { } commit && HubRepository.IsCommit(commit) ? commit : null,
            IsEntryNotFound = code == "EntryNotFound",
            IsTransient = status is 408 or 429 or 500 or 502 or 503 or 504,
            RetryAfter = status is 429 or 503 ? Wait(response) : null,
            IsStaleAddress = !isHub && status is 401 or 403 or 404 or 410,
        };
    }

    /// <summary>The server's own words, fit for a message: one line, short, without the token.</summary>
    public string Clean(string text)
    {
        text = new string(Redact(text).Select(c => char.IsControl(c) ? ' ' : c).Take(LongestQuote).ToArray());
        return text.Trim();
    }

    /// <summary>A text with the token blotted out.</summary>
    public string Redact(string text) => token is null ? text : text.Replace(token, "***", StringComparison.Ordinal);

    private string Compose(string what, int status, string message, string? said, string? requestId)
    {
        var text = $"{what}: {message} (HTTP {status.ToString(CultureInfo.InvariantCulture)}";
        if (said is not null && Clean(said) is { Length: > 0 } clean) text += $"; the server says: {clean}";
        if (requestId is not null) text += $"; request {Clean(requestId)}";
        return text + ")";
    }

    private static string NotFoundOrPrivate(bool hasToken) => hasToken
        ? "the repository doesn't exist, or it is private and the token doesn't open it. Check the id's spelling and the token's rights."
        : "the repository doesn't exist, or it is private. Check the id's spelling; for a private one set HF_TOKEN or HubOptions.Token.";

    private static string Gated(bool hasToken) => "access to this repository is granted on request. Ask for it on the repository's page"
        + (hasToken ? "; this token's account doesn't have it yet." : ", then set HF_TOKEN or HubOptions.Token.");

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) && values.ToString() is { Length: > 0 } value ? value : null;

    // RateLimit: "api";r=0;t=120 is the Hub's; Retry-After is everybody's.
    private static TimeSpan? Wait(HttpResponseMessage response)
    {
        if (Header(response, "RateLimit") is { } limit && ResetPattern().Match(limit) is { Success: true } match
            && double.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out var seconds))
            return TimeSpan.FromSeconds(Math.Min(seconds, 1e6));
        var after = response.Headers.RetryAfter;
        return after?.Delta ?? (after?.Date is { } date ? Later(date - DateTimeOffset.UtcNow) : null);

        static TimeSpan Later(TimeSpan span) => span < TimeSpan.Zero ? TimeSpan.Zero : span;
    }

    [GeneratedRegex(@";\s*t\s*=\s*([0-9]{1,9})", RegexOptions.CultureInvariant)]
    private static partial Regex ResetPattern();
}
