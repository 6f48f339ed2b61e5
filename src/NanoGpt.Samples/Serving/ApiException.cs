// A request that is refused, as OpenAI's clients expect to be told.

using Microsoft.AspNetCore.Http;

namespace NanoGpt.Samples.Serving;

/// <param name="status">HTTP status.</param>
/// <param name="message">What is wrong, and what would be right.</param>
/// <param name="parameter">The field of the request that is meant, if one is.</param>
internal sealed class ApiException(int status, string message, string? parameter = null) : Exception(message)
{
    public int Status => status;

    public string? Parameter => parameter;

    public static ApiException BadRequest(string message, string? parameter = null) => new(StatusCodes.Status400BadRequest, message, parameter);
}
