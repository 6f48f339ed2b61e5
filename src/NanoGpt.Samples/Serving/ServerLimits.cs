// What one client may ask of the server.

namespace NanoGpt.Samples.Serving;

/// <param name="MaxTokens">New tokens of one request, all its texts together.</param>
/// <param name="MaxBodyBytes">Bytes of a request.</param>
internal sealed record ServerLimits(int MaxTokens, long MaxBodyBytes)
{
    public const int MaxStops = 16, MaxLogprobs = 20;
}
