// JSON to and from the Hub's API, with a limit on what is read and a clear error where something is missing.

using System.Net.Http.Headers;
using System.Text.Json;

namespace NanoGpt.Hub;

/// <summary>Reads answers of the API.</summary>
internal static class HubJson
{
    private const int LongestAnswerBytes = 16 << 20;

    /// <summary>A request body.</summary>
    public static HttpContent Body(byte[] utf8, string type) => new ByteArrayContent(utf8) { Headers = { ContentType = new MediaTypeHeaderValue(type) } };

    /// <summary>Reads an answer's body.</summary>
    /// <exception cref="HubException">It is no JSON, is too long, or doesn't come.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpResponseMessage response, string what, TimeSpan timeout, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(timeout);
        try
        {
            var body = await response.Content.ReadAsStreamAsync(deadline.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                using var bytes = new MemoryStream();
                var buffer = new byte[1 << 14];
                int read;
                while ((read = await body.ReadAsync(buffer, deadline.Token).ConfigureAwait(false)) > 0)
                {
                    bytes.Write(buffer, 0, read);
                    if (bytes.Length > LongestAnswerBytes) throw Bad(response, what, $"is longer than {LongestAnswerBytes} bytes");
                }

                return JsonDocument.Parse(bytes.ToArray());
            }
        }
        catch (JsonException e)
        {
            throw Bad(response, what, $"is not JSON ({e.Message})", e);
        }
        catch (Exception e) when (HubErrors.IsConnectionFailure(e) && !cancellation.IsCancellationRequested)
        {
            throw HubErrors.NoAnswer(response.RequestMessage!.RequestUri!, timeout, e);
        }
    }

    /// <summary>A string that must be there.</summary>
    public static string Text(JsonElement element, string name, string what) =>
        Optional(element, name) ?? throw new HubException(HubErrorKind.BadResponse, $"{what}: the Hub's answer has no '{name}'. Is the endpoint a Hugging Face Hub?");

    /// <summary>A string that may be there.</summary>
    public static string? Optional(JsonElement element, string name)
    {
        try
        {
            return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // a string of broken Unicode
        }
    }

    /// <summary>The elements of an array that must be there.</summary>
    public static IEnumerable<JsonElement> Items(JsonElement element, string name, string what) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray()
            : throw new HubException(HubErrorKind.BadResponse, $"{what}: the Hub's answer has no list '{name}'. Is the endpoint a Hugging Face Hub?");

    private static HubException Bad(HttpResponseMessage response, string what, string fault, Exception? cause = null) =>
        new(HubErrorKind.BadResponse, $"{what}: the Hub's answer {fault}. Is the endpoint a Hugging Face Hub?", cause)
        {
            StatusCode = response.StatusCode,
            RequestId = HubErrors.RequestId(response),
        };
}
