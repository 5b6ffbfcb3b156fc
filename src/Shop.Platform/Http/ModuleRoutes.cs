using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Live;
using Shop.Platform.OpenApi;
using Shop.Platform.Pages;
using Shop.Platform.Requests;
using Shop.Platform.Security;

namespace Shop.Platform.Http;

/// <summary>Answers one request.</summary>
public delegate ValueTask<IResult> Handler(HttpContext http);

/// <summary>The table of a module's routes. Each route is counted under its template and described in the OpenAPI document.</summary>
public sealed class ModuleRoutes
{
    private readonly IEndpointRouteBuilder _endpoints;
    private readonly ModuleListener _listener;

    internal ModuleRoutes(IEndpointRouteBuilder endpoints, ModuleListener listener)
    {
        _endpoints = endpoints;
        _listener = listener;
    }

    /// <summary>A route for GET, and HEAD with it.</summary>
    public RouteDescription Get(string template, Handler handler)
    {
        var description = new RouteDescription(template);
        Map(HttpMethods.Head, description, handler);
        return Map(HttpMethods.Get, description, handler);
    }

    /// <summary>A route for POST.</summary>
    public RouteDescription Post(string template, Handler handler) =>
        Map(HttpMethods.Post, new RouteDescription(template) { TakesKey = true }, handler);

    /// <summary>A route for PUT.</summary>
    public RouteDescription Put(string template, Handler handler) =>
        Map(HttpMethods.Put, new RouteDescription(template) { TakesKey = true }, handler);

    /// <summary>A route for DELETE.</summary>
    public RouteDescription Delete(string template, Handler handler) =>
        Map(HttpMethods.Delete, new RouteDescription(template) { TakesKey = true }, handler);

    /// <summary>The page at the root, for clients that prefer one to the service's card.</summary>
    public void Home(Handler page) => HomePage = page;

    /// <summary>A page: GET, and HEAD with it. It is no part of the API's document.</summary>
    public void Page(string template, Handler handler) => Page(template, handler, Access.Read, Caching.NeverCompressed);

    /// <summary>A page, or a file of one, that may be kept.</summary>
    internal void Page(string template, Handler handler, Access access, Caching caching)
    {
        MapPage(HttpMethods.Head, template, AtOnce(handler), access, caching);
        MapPage(HttpMethods.Get, template, AtOnce(handler), access, caching);
    }

    /// <summary>What a page's form is posted to.</summary>
    public void Form(string template, Handler handler)
    {
        _listener.Metrics.Expect(FormPost.Statuses);
        MapPage(HttpMethods.Post, template, new WriteConcurrencyMiddleware(_listener, FormPost.ValidateOriginAsync, handler).AnswerAsync,
            Access.Write, Caching.NeverCompressed);
    }

    /// <summary>
    /// A stream of server-sent events. It is not counted: as one request for as long as somebody looks it would say
    /// nothing.
    /// </summary>
    public void Stream(string template, EventFeed feed) => Stream(template, feed, Access.Read);

    internal void Stream(string template, EventFeed feed, Access access) =>
        _endpoints.MapMethods(template, [HttpMethods.Get, HttpMethods.Head], new EventStream(feed).AnswerAsync)
            .WithMetadata(ExcludeFromRequestMetrics.Mark, access);

    /// <summary>The page at the root.</summary>
    internal Handler? HomePage { get; private set; }

    private void MapPage(string method, string template, RequestDelegate answer, Access access, Caching caching) =>
        _endpoints.MapMethods(template, [method], answer)
            .WithMetadata(_listener.Metrics.Page(method, template), access, caching);

    private RouteDescription Map(string method, RouteDescription description, Handler handler)
    {
        string template = description.Template;
        bool reads = HttpMethods.IsGet(method) || HttpMethods.IsHead(method);
        description.Access = template == "/" ? Access.InfoOrPage : reads ? Access.Read : Access.Write;
        RequestDelegate answer = new Route(description, reads ? AtOnce(handler) : new WriteConcurrencyMiddleware(_listener, Arrival(description), handler, () => description.TooLate?.Invoke()).AnswerAsync).Answer;
        IEndpointConventionBuilder endpoint = _endpoints.MapMethods(template, [method], answer)
            .WithMetadata(_listener.Metrics.Route(method, template), description.Access);
        endpoint.Add(builder =>
        {
            builder.Metadata.Add(description.Caching);
            _listener.Metrics.Expect(
                [description.Answer.Status, .. description.AllErrors.Select(error => error.Status)]);
            // HEAD goes with GET, and there is nothing to say of it alone.
            if (!HttpMethods.IsHead(method)) description.AddTo(builder, _listener.Module.Identity.Name, answer.Method);
        });
        return description;
    }

    // Asked for each request: a route says only after this what body it takes.
    private static Func<HttpContext, ValueTask<IResult?>> Arrival(RouteDescription description) =>
        http => description.Body.Count > 0 ? RequestBody.ArriveAsync(http) : default;

    private static RequestDelegate AtOnce(Handler handler)
    {
        return http =>
        {
            ValueTask<IResult> answer = handler(http);
            return answer.IsCompletedSuccessfully ? answer.Result.ExecuteAsync(http) : AnswerAsync(http, answer);
        };

        static async Task AnswerAsync(HttpContext http, ValueTask<IResult> answer) => await (await answer).ExecuteAsync(http);
    }

    private sealed class Route(RouteDescription description, RequestDelegate answer)
    {
        public Task Answer(HttpContext http) => Refusal(http) is { } refusal ? refusal.ExecuteAsync(http) : answer(http);

        private Problem? Refusal(HttpContext http)
        {
            if (description.Template == "/" && Accepts.PrefersHtml(http.Request.Headers)) return null;
            bool hasBody = description.Answer.Status != StatusCodes.Status204NoContent;
            if (hasBody && !Accepts.JsonIn(http.Request.Headers))
                return new Problem(StatusCodes.Status406NotAcceptable, "The answer is JSON: ask for Accept: application/json, or leave Accept out.");
            // A route with parameters looks at them itself.
            return http.Request.QueryString.HasValue && description.Query.Count == 0 ? Query.Of(http, []).Error : null;
        }
    }
}
