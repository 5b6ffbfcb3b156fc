using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>A status without a body.</summary>
public sealed class NoContent(int status) : IResult
{
    /// <summary>204.</summary>
    public static NoContent Done { get; } = new(StatusCodes.Status204NoContent);

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = status;
        return Task.CompletedTask;
    }
}
