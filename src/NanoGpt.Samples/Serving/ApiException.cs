// A request that is refused, as OpenAI's clients expect to be told.

using Microsoft.AspNetCore.Http;

namespace NanoGpt.Samples.Serving;

/// <param name="status">HTTP status.</param>
/// <param name="message">What is wrong, and what would be right.</param>
/// <param name="parameter">The field of the request that is meant, if one is.</param>
/// <param name="code">OpenAI's word for it, where there is one.</param>
internal sealed class ApiException(int status, string message, string? parameter = null, string? code = null) : Exception(message)
{
    public int Status => status;

    public string? Parameter => parameter;

    public string? Code => code;

    public static ApiException NoSuchModel(string asked, string model) =>
        new(StatusCodes.Status404NotFound, $"There is no model '{asked}' here, only '{model}'.", "model", "model_not_found");

    public static ApiException BadRequest(string message, string? parameter = null) => new(StatusCodes.Status400BadRequest, message, parameter);
}
