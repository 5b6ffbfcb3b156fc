using System.Text;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using RazorSlices;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Security;

namespace Shop.Platform.Pages;

/// <summary>A page: what a module renders, inside what all pages share.</summary>
/// <param name="title">What the page is, as its tab and its heading say it.</param>
/// <param name="body">What stands below the heading.</param>
public sealed class Page(string title, RazorSlice body) : IResult
{
    /// <summary>HTTP status code.</summary>
    public int Status { get; init; } = StatusCodes.Status200OK;

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var site = Site.Of(httpContext);
        ModuleIdentity module = httpContext.Features.GetRequiredFeature<ModuleListener>().Module.Identity;
        var assets = httpContext.RequestServices.GetRequiredService<Assets>();
        await WriteAsync(httpContext, new Frame(title, body, module.Name, site, assets), Status);
    }

    /// <summary>Writes a page whole.</summary>
    internal static async Task WriteAsync(HttpContext http, Frame frame, int status)
    {
        using RazorSlice page = new Pages_Layout { Model = frame };
        await using var text = new StringWriter();
        await page.RenderAsync(text);
        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());

        HttpResponse response = http.Response;
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        response.ContentLength = bytes.Length;
        response.Headers.ContentSecurityPolicy = SecurityHeaders.PagePolicy(frame.Site.Orders);
        response.Headers["Referrer-Policy"] = "strict-origin"; // without it the checkout could not tell whose form it is
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = "Accept";
        JsonAnswer.Write(response, bytes);
    }

    /// <summary>Another page, after a form.</summary>
    public static IResult SeeOther(string url) => new Redirect(url);

    private sealed class Redirect(string url) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = url;
            return Task.CompletedTask;
        }
    }
}

/// <summary>What all pages share.</summary>
internal sealed record Frame(string Title, RazorSlice Body, string Module, Site Site, Assets Assets);
