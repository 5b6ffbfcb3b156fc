using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Http;
using Shop.Platform.Requests;
using Shop.Platform.Security;

namespace Shop.Platform.OpenApi;

/// <summary>What the OpenAPI document says of one route.</summary>
public sealed class RouteDescription
{
    internal RouteDescription(string template) => Template = template;

    internal string Template { get; }

    internal string Summary { get; private set; } = "";

    internal string Details { get; private set; } = "";

    internal string Tag { get; private set; } = "";

    internal string OperationId { get; private set; } = "";

    internal IReadOnlyList<Field> Query { get; private set; } = [];

    internal IReadOnlyList<Field> Headers { get; private set; } = [];

    /// <summary>Whether it takes an <c>Idempotency-Key</c>: every route does that changes something.</summary>
    internal bool TakesKey { get; init; }

    internal IReadOnlyList<Field> Body { get; private set; } = [];

    /// <summary>Name of the body's schema.</summary>
    internal string BodySchema { get; private set; } = "";

    /// <summary>Who may use it.</summary>
    internal Access Access { get; set; } = Access.Write;

    /// <summary>Whether it is part of the API, and so counted and limited; the other routes watch the service.</summary>
    internal bool IsCounted { get; set; } = true;

    internal Field? ProblemMember { get; private set; }

    internal Action? TooLate { get; private set; }

    internal IReadOnlyList<(int Status, string Why)> Errors { get; private set; } = [];

    /// <summary>Those, and what any route of the API may answer.</summary>
    internal IEnumerable<(int Status, string Why)> AllErrors
    {
        get
        {
            IReadOnlyList<(int Status, string Why)> own = TakesKey ? WithReusedKey(Errors) : Errors;
            return own.Concat(CommonErrors().Where(error => own.All(mine => mine.Status != error.Status)));
        }
    }

    internal (int Status, Type? Type, string What, string? Example) Answer { get; private set; } = (200, null, "Done.", null);

    internal IReadOnlyList<string> ContentTypes { get; private set; } = ["application/json"];

    internal string? PathExample { get; private set; }

    internal Caching Caching => IsRevalidated ? Caching.Revalidated : IsList ? Caching.NeverCompressed : Caching.Never;

    internal bool IsList => Query.Contains(Paging.Limit);

    /// <summary>Whether the answer has an entity tag.</summary>
    internal bool HasTag { get; private set; }

    private bool IsRevalidated { get; set; }

    /// <summary>The route's name in generated clients, its heading, and one sentence or two.</summary>
    public RouteDescription Says(string operationId, string tag, string summary, string details)
    {
        (OperationId, Tag, Summary, Details) = (operationId, tag, summary, details);
        return this;
    }

    /// <summary>The parameters of the query: a list of fields that the handler reads.</summary>
    public RouteDescription WithQuery(IReadOnlyList<Field> fields)
    {
        Query = fields;
        return this;
    }

    /// <summary>The request headers that matter.</summary>
    public RouteDescription WithHeaders(params IReadOnlyList<Field> fields)
    {
        Headers = fields;
        return this;
    }

    /// <summary>The answer has an ETag, so a client may keep it, and ask whether it is still right.</summary>
    public RouteDescription Revalidates()
    {
        IsRevalidated = true;
        return WithTag();
    }

    /// <summary>The answer has the ETag of what was written.</summary>
    public RouteDescription WithTag()
    {
        HasTag = true;
        return this;
    }

    /// <summary>The JSON body.</summary>
    /// <param name="schema">Name of its schema, as generated clients have it: <c>PlaceOrderRequest</c>.</param>
    /// <param name="fields">Its fields.</param>
    public RouteDescription WithBody(string schema, IReadOnlyList<Field> fields)
    {
        (BodySchema, Body) = (schema, fields);
        return this;
    }

    /// <summary>A member that problems of this route may have beside those of any problem.</summary>
    public RouteDescription WithProblemMember(Field member)
    {
        ProblemMember = member;
        return this;
    }

    /// <summary>What the parameter in the path is in the example; by itself the first product, or the order of the examples.</summary>
    public RouteDescription WithPathExample(string value)
    {
        PathExample = value;
        return this;
    }

    /// <summary>What a 503 for a turn that came too late is told to: the handler does not see such a request.</summary>
    public RouteDescription WhenTooLate(Action told)
    {
        TooLate = told;
        return this;
    }

    /// <summary>The answer to a request that succeeds.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="what">What it is.</param>
    /// <param name="example">One, in JSON.</param>
    public RouteDescription Answers<T>(int status, string what, string example)
    {
        Answer = (status, typeof(T), what, example);
        return this;
    }

    /// <summary>The answer to a request that succeeds, where it is no JSON.</summary>
    public RouteDescription Answers(int status, string what, params IReadOnlyList<string> contentTypes)
    {
        Answer = (status, null, what, null);
        ContentTypes = contentTypes;
        return this;
    }

    /// <summary>The errors that a client must expect, beside those that any route may answer with.</summary>
    public RouteDescription Fails(params IReadOnlyList<(int Status, string Why)> errors)
    {
        Errors = errors;
        return this;
    }

    internal void AddTo(EndpointBuilder endpoint, string document, MethodInfo handler)
    {
        endpoint.Metadata.Add(this);
        endpoint.Metadata.Add(handler); // by this the API explorer knows that there is something to describe
        endpoint.Metadata.Add(new EndpointGroupNameAttribute(document));
        if (Answer.Type is not null) endpoint.Metadata.Add(new ProducesResponseTypeMetadata(Answer.Status, Answer.Type, [.. ContentTypes]));
    }

    private IEnumerable<(int Status, string Why)> CommonErrors()
    {
        yield return (StatusCodes.Status400BadRequest, "The request is wrong; every fault is named.");
        if (Access == Access.Metrics)
            yield return (StatusCodes.Status401Unauthorized, "Shop:MetricsKey is set, and this takes its key.");
        if (Access == Access.Read)
            yield return (StatusCodes.Status401Unauthorized, "The key is unknown, or there is none and Shop:ReadsNeedKey is set.");
        if (Access == Access.Write)
        {
            yield return (StatusCodes.Status401Unauthorized, "Keys are set (Shop:ApiKeys), and this takes one that may write.");
            yield return (StatusCodes.Status403Forbidden, "The key may read, but not write; or a page of another origin asks for a change.");
        }

        // A route that answers without a body takes any client for one that takes JSON.
        if (IsCounted && Answer.Type is not null) yield return (StatusCodes.Status406NotAcceptable, "The client takes no JSON.");
        if (Body.Count > 0)
        {
            yield return (StatusCodes.Status408RequestTimeout, "The body did not arrive in time.");
            yield return (StatusCodes.Status413PayloadTooLarge, "The body is larger than 64 KiB.");
            yield return (StatusCodes.Status415UnsupportedMediaType, "The body is no JSON in UTF-8, or it is encoded.");
        }

        if (IsCounted) yield return (StatusCodes.Status429TooManyRequests, "Too many requests at once; see Retry-After.");
        yield return (StatusCodes.Status500InternalServerError, "A fault of the shop; its log has it under the trace_id.");
        if (IsCounted) yield return (StatusCodes.Status503ServiceUnavailable, "The shop can't do it now; see Retry-After.");
    }

    private static IReadOnlyList<(int Status, string Why)> WithReusedKey(IReadOnlyList<(int Status, string Why)> errors)
    {
        const string Reused = "The Idempotency-Key was used for another request.";
        return errors.All(error => error.Status != 409)
            ? [.. errors, (409, Reused)]
            : [.. errors.Select(error => error.Status == 409 ? (409, $"{error.Why} Or: {Reused}") : error)];
    }
}
