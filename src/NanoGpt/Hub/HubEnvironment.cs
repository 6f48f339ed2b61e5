// The environment variables of Python's huggingface_hub, read by its rules. Decides nothing beyond them; HubOptions wins
// over everything here.

using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoGpt.Hub;

/// <summary>What the environment says about the Hub.</summary>
internal sealed partial class HubEnvironment
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    private readonly Func<string, string?> _get;
    private readonly string _home;

    /// <summary>Reads the variables of this process.</summary>
    public HubEnvironment() : this(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile))
    {
    }

    /// <summary>Reads variables from <paramref name="get"/>, with <paramref name="home"/> for <c>~</c>.</summary>
    public HubEnvironment(Func<string, string?> get, string home) => (_get, _home) = (get, home);

    /// <summary>HF_ENDPOINT, else the public Hub.</summary>
    public string Endpoint => Value("HF_ENDPOINT")?.TrimEnd('/') ?? "https://huggingface.co";

    /// <summary>The cache folder.</summary>
    public string CacheDirectory => Path.GetFullPath(
        Folder("HF_HUB_CACHE") ?? Folder("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(HuggingFaceHome, "hub"));

    /// <summary>Whether no request may be made.</summary>
    public bool Offline => IsTrue("HF_HUB_OFFLINE") || IsTrue("TRANSFORMERS_OFFLINE");

    /// <summary>Whether links are unwanted even where they work.</summary>
    public bool DisableSymlinks => IsTrue("HF_HUB_DISABLE_SYMLINKS");

    /// <summary>HF_HUB_ETAG_TIMEOUT, else 10 s.</summary>
    public TimeSpan MetadataTimeout => Seconds("HF_HUB_ETAG_TIMEOUT");

    /// <summary>HF_HUB_DOWNLOAD_TIMEOUT, else 10 s.</summary>
    public TimeSpan DownloadTimeout => Seconds("HF_HUB_DOWNLOAD_TIMEOUT");

    private string HuggingFaceHome =>
        Folder("HF_HOME") ?? Path.Combine(Folder("XDG_CACHE_HOME") ?? Path.Combine(_home, ".cache"), "huggingface");

    /// <summary>The token and the name of the place it comes from; null where there is none, or it may not be used unasked.</summary>
    /// <exception cref="HubException">The token file exists and can't be read.</exception>
    public (string Token, string Source)? Token()
    {
        if (IsTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return null;
        foreach (var name in (string[])["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
        {
            if (Value(name)?.Trim() is { Length: > 0 } token) return (token, name);
        }

        var path = Folder("HF_TOKEN_PATH") ?? Path.Combine(HuggingFaceHome, "token");
        try
        {
            return File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 } token ? (token, path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException(HubErrorKind.Unauthorized,
                $"{path}: the token file can't be read ({e.Message}). Make it readable, or set HF_TOKEN, or HF_HUB_DISABLE_IMPLICIT_TOKEN=1 to do without.", e);
        }
    }

    private string? Value(string name) => _get(name) is { Length: > 0 } value ? value : null;

    private bool IsTrue(string name) => Value(name)?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";

    private TimeSpan Seconds(string name) =>
        double.TryParse(Value(name), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and < 1e6
            ? TimeSpan.FromSeconds(seconds)
            : DefaultTimeout;

    // A folder from a variable, with `~`, `$NAME`, `${NAME}` and, on Windows, `%NAME%` replaced; an unknown variable stays as it is.
    private string? Folder(string name)
    {
        if (Value(name) is not { } value) return null;
        if (value == "~" || value.StartsWith("~/", StringComparison.Ordinal) || value.StartsWith("~\\", StringComparison.Ordinal))
            value = _home + value[1..];
        return VariablePattern().Replace(value, match =>
            match.Value[0] == '%' && !OperatingSystem.IsWindows() ? match.Value : _get(match.Groups["name"].Value) ?? match.Value);
    }

    [GeneratedRegex(@"\$(?<name>[A-Za-z0-9_]+)|\$\{(?<name>[^}]+)\}|%(?<name>[A-Za-z0-9_]+)%", RegexOptions.CultureInvariant)]
    private static partial Regex VariablePattern();
}
