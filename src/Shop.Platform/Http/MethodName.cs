using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>
/// Methods are case-sensitive (RFC 9110, section 9.1), but routing and the framework compare them in any case: here
/// <c>head</c> stops being HEAD.
/// </summary>
internal static class MethodName
{
    /// <summary>Middleware that runs before routing.</summary>
    public static RequestDelegate Distinguish(RequestDelegate next) => http =>
    {
        string method = http.Request.Method;
        // In quotes it matches no method, and an error can still show the client what it sent.
        if (method.AsSpan().ContainsAnyInRange('a', 'z'))
            http.Request.Method = $"'{method}'";
        return next(http);
    };
}
