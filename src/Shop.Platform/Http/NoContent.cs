using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>204, without a body.</summary>
public sealed class NoContent : IResult
{
    /// <summary>The answer.</summary>
    public static NoContent Done { get; } = new();

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }
}
