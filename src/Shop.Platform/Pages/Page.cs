using System.Text;
using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using RazorSlices;
using Shop.Platform.Http;
using Shop.Platform.Modules;
using Shop.Platform.Security;

namespace Shop.Platform.Pages;

/// <summary>A page: the part that a module renders, in the frame that all pages have.</summary>
/// <param name="title">The title, in the tab and the heading.</param>
/// <param name="body">The content below the heading.</param>
public sealed class Page(string title, RazorSlice body) : IResult
{
    /// <summary>HTTP status code.</summary>
    public int Status { get; init; } = StatusCodes.Status200OK;

    /// <summary>Whether it belongs to the console, and not to the service's own pages.</summary>
    internal bool IsConsole { get; init; }

    /// <summary>Whether its script follows the events of all services.</summary>
    internal bool WatchesOtherServices { get; init; }

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        Write(httpContext);
        return Task.CompletedTask;
    }

    /// <summary>The page that a browser gets instead of a problem.</summary>
    internal static void WriteError(HttpContext http, ErrorModel error) =>
        new Page(error.Title, new Pages_Error { Model = error }) { Status = error.Status }.Write(http);

    private void Write(HttpContext http)
    {
        ModuleContext module = http.Features.GetRequiredFeature<ModuleListener>().Module;
        var assets = http.RequestServices.GetRequiredService<Assets>();
        Write(http, new Frame(title, body, module.Identity, Site.Of(http), assets)
        {
            IsConsole = IsConsole,
            Trouble = [.. module.Faults.Runs.Select(run => run.ToString())],
            Counts = [.. module.Identity.NavigationPages.Select(page => page.Count(http))],
        }, Status, WatchesOtherServices);
    }

    /// <summary>Renders a page into memory and writes it, without ever waiting.</summary>
    internal static void Write(HttpContext http, Frame frame, int status, bool watchesOtherServices = false)
    {
        using RazorSlice page = new Pages_Layout { Model = frame };
        using var text = new StringWriter();
        ValueTask rendering = page.RenderAsync(text);
        if (!rendering.IsCompletedSuccessfully)
        {
            throw new InvalidOperationException(
                $"The page {frame.Title} waits for something.", rendering.AsTask().Exception);
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());

        HttpResponse response = http.Response;
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        response.ContentLength = bytes.Length;
        response.Headers.ContentSecurityPolicy = SecurityHeaders.PagePolicy(frame.Site.FormTargets,
            watchesOtherServices ? frame.Site.Services.Select(service => service.Url) : []);
        // Needed by the checkout to check the form's origin.
        response.Headers["Referrer-Policy"] = "strict-origin";
        JsonResponse.Write(response, bytes);
    }

    /// <summary>
    /// Whether an address that a client chose is a path of this service: <c>//elsewhere</c> leads to another.
    /// </summary>
    public static bool IsOfThisService(string address) => address is ['/', ..] and not ['/', '/' or '\\', ..]
        && address.All(static character => character is > ' ' and < '\x7f');

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

/// <summary>The parts that all pages have: their service has a navigation of its own.</summary>
internal sealed record Frame(string Title, RazorSlice Body, ModuleIdentity? Module, Site Site, Assets Assets)
{
    /// <summary>Whether the navigation shows that this is the console.</summary>
    public bool IsConsole { get; init; }

    /// <summary>The faults that run, in words.</summary>
    public IReadOnlyList<string> Trouble { get; init; } = [];

    /// <summary>The number beside each entry of the module's navigation.</summary>
    public IReadOnlyList<long> Counts { get; init; } = [];
}

/// <summary>The error as a page.</summary>
internal sealed record ErrorModel(int Status, string Error, IReadOnlyList<(string Path, string Message)> Errors,
    int? RetryAfterSeconds, string TraceId)
{
    /// <summary>The address to try again; null if another try would not help.</summary>
    public string? Again { get; init; }

    /// <summary>The status in the words of a shop.</summary>
    public string Title => Status switch
    {
        StatusCodes.Status400BadRequest => "That can't be asked for so",
        StatusCodes.Status404NotFound => "There is nothing here",
        StatusCodes.Status429TooManyRequests => "Too many at once",
        StatusCodes.Status500InternalServerError => "Something broke",
        StatusCodes.Status503ServiceUnavailable => "Not at the moment",
        _ => ReasonPhrases.GetReasonPhrase(Status),
    };
}
