using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Faults;
using Shop.Platform.Live;
using Shop.Platform.OpenApi;
using Shop.Platform.Pages;
using Shop.Platform.Requests;
using Shop.Platform.Security;

namespace Shop.Platform.Http;

/// <summary>Answers one request.</summary>
public delegate ValueTask<IResult> Handler(HttpContext http);

/// <summary>
/// The table of a module's routes. Each route is counted under its template and described in the OpenAPI document.
/// </summary>
public sealed class ModuleRoutes
{
    private static readonly SemaphoreSlim SharedChanges = new(1);

    private readonly IEndpointRouteBuilder _endpoints;
    private readonly ModuleListener _listener;

    internal ModuleRoutes(IEndpointRouteBuilder endpoints, ModuleListener listener)
    {
        _endpoints = endpoints;
        _listener = listener;
    }

    /// <summary>A route for GET, and HEAD with it.</summary>
    public ModuleRouteBuilder Get(string template, Handler handler)
    {
        Access access = template == "/" ? Access.InfoOrPage : Access.Read;
        return Get(template, handler, method => Endpoint(method, template, access), Faults);
    }

    /// <summary>A route for POST, which waits for one of the permits for writing requests.</summary>
    public ModuleRouteBuilder Post(string template, Handler handler) => Write(HttpMethods.Post, template, handler);

    /// <inheritdoc cref="Post"/>
    public ModuleRouteBuilder Put(string template, Handler handler) => Write(HttpMethods.Put, template, handler);

    /// <inheritdoc cref="Post"/>
    public ModuleRouteBuilder Delete(string template, Handler handler) => Write(HttpMethods.Delete, template, handler);

    /// <summary>
    /// A route that every service has. Faults do not affect it, it needs no permit, and it accepts no
    /// <c>Idempotency-Key</c>, because its changes are idempotent.
    /// </summary>
    internal ModuleRouteBuilder OfService(string method, string template, Handler handler)
    {
        if (method == HttpMethods.Get)
            return Get(template, handler, verb => EndpointOfService(verb, template, Access.Read), faults: null);
        var route = new ModuleRouteBuilder(DocumentName, EndpointOfService(method, template, Access.Write));
        return Complete(route, template, metadata => metadata.OfType<JsonRequestBody>().Any()
            ? async http => await (await ArriveAsync(http) ?? await InTurnAsync(handler, http)).ExecuteAsync(http)
            : ToRequestDelegate(http => InTurnAsync(handler, http)), faults: null);

        static ValueTask<IResult?> ArriveAsync(HttpContext http) =>
            RequestBody.IsAbsent(http) ? default : RequestBody.ArriveAsync(http);
    }

    /// <summary>
    /// Answers a change of what all services share, such as faults. Each waits for the disk, so there is one at a time:
    /// many at once would hold all threads, and health would not answer.
    /// </summary>
    internal static async ValueTask<IResult> InTurnAsync(Handler handler, HttpContext http)
    {
        await SharedChanges.WaitAsync(http.RequestAborted);
        try
        {
            return await handler(http);
        }
        finally
        {
            SharedChanges.Release();
        }
    }

    /// <summary>The page at the root, for clients that prefer HTML to the service's JSON.</summary>
    public void Home(Handler page) => HomePage = page;

    /// <summary>A page: GET, and HEAD with it. It is no part of the API's document.</summary>
    public void Page(string template, Handler handler) =>
        Page(template, handler, Access.Read, Caching.NoStoreCompressed);

    /// <summary>A page, or a file of one, that may be kept.</summary>
    internal void Page(string template, Handler handler, Access access, Caching caching)
    {
        MapPage(HttpMethods.Head, template, ToRequestDelegate(handler), access, caching);
        MapPage(HttpMethods.Get, template, ToRequestDelegate(handler), access, caching);
    }

    /// <summary>The target of a page's form.</summary>
    public void Form(string template, Handler handler)
    {
        _listener.Metrics.Expect(FormPost.Statuses);
        MapPage(HttpMethods.Post, template,
            new WriteConcurrencyMiddleware(_listener, FormPost.ValidateOriginAsync, handler).AnswerAsync,
            Access.Write, Caching.NoStoreCompressed);
    }

    /// <summary>
    /// A stream of server-sent events. It is not counted as a request, because it lasts as long as its client watches.
    /// </summary>
    public void Stream(string template, EventFeed feed) => Stream(template, new EventStream(feed), Access.Read);

    internal void Stream(string template, EventStream stream, Access access) =>
        _endpoints.MapMethods(template, [HttpMethods.Get, HttpMethods.Head], stream.AnswerAsync)
            .WithMetadata(ExcludeFromRequestMetrics.Mark, access);

    /// <summary>Adds a kind of request to the demo traffic.</summary>
    /// <param name="weight">How often it is sent, in comparison with the others.</param>
    /// <param name="make">Makes a request.</param>
    public void DemoTraffic(int weight, Func<DemoRequest> make) => _listener.DemoRequests.Add((weight, make));

    /// <summary>The page at the root.</summary>
    internal Handler? HomePage { get; private set; }

    private ResponseFaults Faults => _listener.Module.Faults.Responses;

    private string DocumentName => _listener.Module.Identity.Name;

    private void MapPage(string method, string template, RequestDelegate answer, Access access, Caching caching) =>
        _endpoints.MapMethods(template, [method], answer)
            .WithMetadata(_listener.Metrics.Page(method, template), access, caching);

    private ModuleRouteBuilder Write(string method, string template, Handler handler)
    {
        var route = new ModuleRouteBuilder(DocumentName, Endpoint(method, template, Access.Write));
        route.WithMetadata(AcceptsIdempotencyKey.Instance);
        return Complete(route, template, metadata => new WriteConcurrencyMiddleware(_listener,
            metadata.OfType<JsonRequestBody>().Any() ? RequestBody.ArriveAsync : static _ => default, handler,
            metadata.OfType<QueueTimeoutCallback>().FirstOrDefault()?.Invoke).AnswerAsync, Faults);
    }

    private ModuleRouteBuilder Get(string template, Handler handler, Func<string, IEndpointConventionBuilder> endpoint,
        ResponseFaults? faults)
    {
        // The documents mention HEAD once for all routes, and a name is of one endpoint.
        IEndpointConventionBuilder head = endpoint(HttpMethods.Head).ExcludeFromDescription();
        head.Finally(static endpoint =>
            endpoint.Metadata.Remove(endpoint.Metadata.OfType<IEndpointNameMetadata>().Single()));
        var route = new ModuleRouteBuilder(DocumentName, endpoint(HttpMethods.Get), head);
        return Complete(route, template, _ => ToRequestDelegate(handler), faults);
    }

    private IEndpointConventionBuilder Endpoint(string method, string template, Access access) =>
        Endpoint(method, template).WithMetadata(_listener.Metrics.Route(method, template), access);

    private IEndpointConventionBuilder EndpointOfService(string method, string template, Access access) =>
        Endpoint(method, template).WithMetadata(_listener.Metrics.Page(method, template), access);

    private IEndpointConventionBuilder Endpoint(string method, string template) =>
        _endpoints.MapMethods(template, [method], static _ =>
            throw new InvalidOperationException("The route is not built."));

    // The handler depends on metadata, which is complete only after the module has described the route.
    private ModuleRouteBuilder Complete(ModuleRouteBuilder route, string template,
        Func<IList<object>, RequestDelegate> answer, ResponseFaults? faults)
    {
        if (template == "/") faults = null;
        faults?.AddRoute(template);
        route.Finally(endpoint =>
        {
            _listener.Metrics.Expect(StandardResponses.Responses(endpoint.Metadata)
                .Select(response => response.StatusCode));
            endpoint.RequestDelegate = new RequestCheck(template, StandardResponses.ProducesJson(endpoint),
                endpoint.Metadata.OfType<QueryParameters>().Any(), answer(endpoint.Metadata), faults).Answer;
        });
        return route;
    }

    private static RequestDelegate ToRequestDelegate(Handler handler)
    {
        return http =>
        {
            ValueTask<IResult> answer = handler(http);
            return answer.IsCompletedSuccessfully ? answer.Result.ExecuteAsync(http) : AnswerAsync(http, answer);
        };

        static async Task AnswerAsync(HttpContext http, ValueTask<IResult> answer) =>
            await (await answer).ExecuteAsync(http);
    }

    private sealed class RequestCheck(
        string template, bool producesJson, bool hasQuery, RequestDelegate answer, ResponseFaults? faults)
    {
        public Task Answer(HttpContext http)
        {
            if (Refusal(http) is { } refusal) return refusal.ExecuteAsync(http);
            return faults is { AnyRuns: true } ? faults.AnswerAsync(http, template, answer) : answer(http);
        }

        private Problem? Refusal(HttpContext http)
        {
            if (template == "/" && AcceptHeader.PrefersHtml(http.Request.Headers)) return null;
            if (producesJson && !AcceptHeader.AllowsJson(http.Request.Headers))
            {
                return new Problem(StatusCodes.Status406NotAcceptable,
                    "The answer is JSON: ask for Accept: application/json, or leave Accept out.");
            }

            // A route with parameters checks them itself.
            return http.Request.QueryString.HasValue && !hasQuery ? Query.Of(http, []).Error : null;
        }
    }
}
