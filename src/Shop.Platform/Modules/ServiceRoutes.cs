using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.OpenApi;
using Prometheus;
using Shop.Platform.Faults;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.OpenApi;
using Shop.Platform.Pages;
using Shop.Platform.Security;

namespace Shop.Platform.Modules;

/// <summary>The routes that every module has: its card, and routes to monitor it.</summary>
internal static class ServiceRoutes
{
    private const string Tag = "Service";

    // The framework fails now and then if it makes a document for two requests at once: dotnet/aspnetcore issue 58845.
    private static readonly SemaphoreSlim DocumentMaking = new(1);

    private static readonly HttpMethodMetadata Reads = new([HttpMethods.Get, HttpMethods.Head]);

    /// <summary>Tag of the health checks of a module, so that each answers for itself alone.</summary>
    public static string HealthTag(ModuleIdentity module) => $"module:{module.Name}";

    public static void Map(IEndpointRouteBuilder endpoints, ModuleRoutes routes, ModuleContext module, BuildInfo build,
        ProcessMetrics process, (Assets Assets, LiveMetrics Live, DemoTraffic Traffic, TroublePanel Trouble) pages)
    {
        var card = new ServiceInfo(module.Identity.Service, build.Version, Links(endpoints));
        IResult answer = JsonResponse.Ok(card, PlatformJson.Default.ServiceInfo);
        routes.Get("/", http => routes.HomePage is { } page && AcceptHeader.PrefersHtml(http.Request.Headers)
            ? page(http) : ValueTask.FromResult(answer))
            .WithName("getCard").WithTags(Tag).WithSummary("The service's card")
            .WithDescription("The service's name and version, and links to everything that it has.")
            .Produces<ServiceInfo>(200, "The card.",
                Encoding.UTF8.GetString(JsonResponse.Bytes(card, PlatformJson.Default.ServiceInfo)));

        routes.Page("/assets/{file}", pages.Assets.Find, Access.Open, Caching.Immutable);
        LiveRoutes.Map(routes, pages.Live, pages.Traffic, pages.Trouble, module.Settings);

        Watch(endpoints.MapMetrics("/metrics", module.Registry), module, Access.Metrics, Caching.NoStoreCompressed)
            .WithName("getMetrics").WithTags(Tag).WithSummary("The service's metrics")
            .WithDescription("Prometheus text format; OpenMetrics if Accept asks for it.")
            .Produces(200, "The metrics.", "text/plain", "application/openmetrics-text");
        Watch(endpoints.MapMetrics("/metrics/process", process.Registry), module, Access.Metrics,
            Caching.NoStoreCompressed)
            .WithName("getProcessMetrics").WithTags(Tag).WithSummary("The metrics of the process")
            .WithDescription(
                "CPU, memory, GC, threads and build: the same on every port, since the services share one process.")
            .Produces(200, "The metrics.", "text/plain", "application/openmetrics-text");

        Watch(endpoints.MapHealthChecks("/health/live", Health(_ => false)), module, Access.Health, Caching.NoStore)
            .WithName("getLive").WithTags(Tag).WithSummary("Whether the process answers")
            .WithDescription("For a restart policy: it looks at nothing else.")
            .Produces<HealthAnswer>(200, "It does.", """{"status":"healthy","checks":{}}""");
        string tag = HealthTag(module.Identity);
        Watch(endpoints.MapHealthChecks("/health/ready", Health(check => check.Tags.Contains(tag))), module,
            Access.Health, Caching.NoStore)
            .WithName("getReady").WithTags(Tag).WithSummary("Whether the service can do its work")
            .WithDescription("Writes to the service's database, waits for the disk, and reads it back.")
            .Produces<HealthAnswer>(200, "It can.", """
                {"status":"healthy","checks":{"database":
                {"status":"healthy","description":"Written and read.","duration_ms":1.4}}}
                """)
            .ProducesProblem(503, "It can't; the checks say why.");

        Watch(endpoints.MapGet("/openapi/v1.json", OpenApiDocument(module)), module, Access.Open,
            Caching.NoStoreCompressed)
            .WithName("getOpenApi").WithTags(Tag).WithSummary("This document")
            .WithDescription("OpenAPI 3.1 of this service alone.")
            .Produces(200, "The document.", "application/json");
        Watch(endpoints.MapGet("/docs", DocsPage(module.Identity)), module, Access.Open, Caching.NoStoreCompressed)
            .WithName("getDocs").WithTags(Tag).WithSummary("A page to try this service")
            .WithDescription("It reads this document, and asks for nothing outside.")
            .Produces(200, "The page.", "text/html");
        endpoints.MapGet("/docs/start.js", DocsScript)
            .WithMetadata(ExcludeFromRequestMetrics.Mark, Access.Open, Reads, Caching.NoStoreCompressed);
        foreach (string file in new[] { "scalar.js", "favicon.svg" })
            endpoints.MapGet($"/docs/{file}", new PackagedFile(file).SendAsync)
                .WithMetadata(ExcludeFromRequestMetrics.Mark, Access.Open, Reads, Caching.NoStore);
    }

    private static Dictionary<string, string> Links(IEndpointRouteBuilder endpoints)
    {
        // Routes that the module maps after this are not in the card, so the module maps first.
        IEnumerable<string> own = endpoints.DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>() is not null)
            .Where(endpoint =>
                endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Contains(HttpMethods.Get))
            .Select(endpoint => endpoint.RoutePattern.RawText!)
                .Where(template => !template.Contains('{') && template.Length > 1);
        string[] watching = ["/metrics", "/metrics/process", "/health/live", "/health/ready", "/openapi/v1.json",
            "/docs"];
        return own.Concat(watching).Distinct(StringComparer.Ordinal)
            .ToDictionary(LinkName, template => template, StringComparer.Ordinal);
    }

    private static string LinkName(string template) =>
        template == "/openapi/v1.json" ? "openapi" : template[1..].Replace('/', '_');

    private static ModuleRouteBuilder Watch(IEndpointConventionBuilder endpoint, ModuleContext module, Access access,
        Caching caching) =>
        new ModuleRouteBuilder(module.Identity.Name, endpoint)
            .WithMetadata(ExcludeFromRequestMetrics.Mark, access, Reads, caching);

    private static HealthCheckOptions Health(Func<HealthCheckRegistration, bool> checks) => new()
    {
        Predicate = checks,
        AllowCachingResponses = true, // every route sets its own caching headers
        ResponseWriter = static (http, report) =>
        {
            var checks = report.Entries.ToDictionary(entry => entry.Key.Split(' ')[^1], entry => new HealthAnswer.Check(
                Word(entry.Value.Status), entry.Value.Description, entry.Value.Duration.TotalMilliseconds),
                StringComparer.Ordinal);
            var answer = new HealthAnswer(Word(report.Status), checks);
            return JsonResponse.Of(http.Response.StatusCode, answer, PlatformJson.Default.HealthAnswer)
                .ExecuteAsync(http);
        },
    };

    private static string Word(HealthStatus status) =>
        status == HealthStatus.Healthy ? HealthWord.Healthy : HealthWord.Unhealthy;

    private static RequestDelegate DocsPage(ModuleIdentity module) => http =>
    {
        string prefix = http.Request.PathBase.ToUriComponent();
        http.Response.Headers.ContentSecurityPolicy = SecurityHeaders.DocsPolicy;
        return Text(http, "text/html; charset=utf-8", $$"""
            <!doctype html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>{{module.Title}}</title>
              <link rel="icon" href="{{prefix}}/docs/favicon.svg">
            </head>
            <body>
              <div id="docs"></div>
              <script src="{{prefix}}/docs/scalar.js"></script>
              <script src="{{prefix}}/docs/start.js"></script>
            </body>
            </html>
            """);
    };

    // A file of its own: the page's policy forbids inline scripts.
    private static Task DocsScript(HttpContext http) => Text(http, "text/javascript; charset=utf-8", """
        Scalar.createApiReference('#docs', {
          url: location.pathname.replace(/docs\/?$/, 'openapi/v1.json'), withDefaultFonts: false, telemetry: false,
          showDeveloperTools: 'never', agent: { disabled: true }, mcp: { disabled: true }
        })

        """);

    private static Task Text(HttpContext http, string contentType, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        http.Response.ContentType = contentType;
        http.Response.ContentLength = bytes.Length;
        JsonResponse.Write(http.Response, bytes);
        return Task.CompletedTask;
    }

    private static RequestDelegate OpenApiDocument(ModuleContext module)
    {
        string? made = null;
        return async http =>
        {
            if (made is null)
            {
                await DocumentMaking.WaitAsync(http.RequestAborted);
                try
                {
                    // The routes don't change, so it is made once.
                    made ??= await DocumentAsync(http.RequestServices, module.Identity.Name);
                }
                finally
                {
                    DocumentMaking.Release();
                }
            }

            // The address that the client used, or that the settings name.
            string server = module.Settings.PublicUrls[module.Identity.Name]
                ?? $"{http.Request.Scheme}://{http.Request.Host.ToUriComponent()}";
            server = JsonEncodedText.Encode($"{server}{http.Request.PathBase.ToUriComponent()}").ToString();
            await Text(http, JsonResponse.ContentType,
                made.Replace(ModuleDocument.ServerMark, server, StringComparison.Ordinal));
        };
    }

    private static async Task<string> DocumentAsync(IServiceProvider services, string name)
    {
        OpenApiDocument document = await services.GetRequiredKeyedService<IOpenApiDocumentProvider>(name)
            .GetOpenApiDocumentAsync(CancellationToken.None);
        return await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, CancellationToken.None);
    }
}
