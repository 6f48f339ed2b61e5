// The ids of what the Hub client logs, for filters and alerts. They keep their numbers.

using Microsoft.Extensions.Logging;

namespace NanoGpt.Hub;

/// <summary>Event ids of the category <c>NanoGpt.Hub</c>.</summary>
internal static class HubEvents
{
    public const string Category = "NanoGpt.Hub";

    public static readonly EventId Request = new(4001, nameof(Request));
    public static readonly EventId Retry = new(4002, nameof(Retry));
    public static readonly EventId FromCache = new(4003, nameof(FromCache));
    public static readonly EventId FellBackToCache = new(4004, nameof(FellBackToCache));
    public static readonly EventId DownloadStarted = new(4005, nameof(DownloadStarted));
    public static readonly EventId DownloadFinished = new(4006, nameof(DownloadFinished));
    public static readonly EventId Unverified = new(4007, nameof(Unverified));
    public static readonly EventId StartedOver = new(4008, nameof(StartedOver));
    public static readonly EventId WaitingForLock = new(4009, nameof(WaitingForLock));
    public static readonly EventId UploadStarted = new(4010, nameof(UploadStarted));
    public static readonly EventId UploadFinished = new(4011, nameof(UploadFinished));
    public static readonly EventId InsecureEndpoint = new(4013, nameof(InsecureEndpoint));
    public static readonly EventId CacheNotUpdated = new(4012, nameof(CacheNotUpdated));
}
