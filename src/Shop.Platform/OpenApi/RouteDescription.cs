using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Http;
using Shop.Platform.Requests;

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

    internal Action? TooLate { get; private set; }

    internal IReadOnlyList<(int Status, string Why)> Errors { get; private set; } = [];

    /// <summary>Those, and what any route of the API may answer.</summary>
    internal IEnumerable<(int Status, string Why)> AllErrors
    {
        get
        {
            IReadOnlyList<(int Status, string Why)> own = TakesKey ? WithReusedKey(Errors) : Errors;
            // A route that answers without a body takes any client for one that takes JSON.
            return own.Concat(ModuleDocument.CommonErrors.Where(error => own.All(mine => mine.Status != error.Status)
                && (Answer.Type is not null || (TakesKey && error.Status != StatusCodes.Status406NotAcceptable))));
        }
    }

    internal (int Status, Type? Type, string What, string? Example) Answer { get; private set; } = (200, null, "Done.", null);

    internal string ContentType { get; private set; } = "application/json";

    internal string? PathExample { get; private set; }

    internal Caching Caching => HasTag ? Caching.Revalidated : Query.Contains(Paging.Limit) ? Caching.NeverCompressed : Caching.Never;

    private bool HasTag { get; set; }

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
        HasTag = true;
        return this;
    }

    /// <summary>The fields of the JSON body.</summary>
    public RouteDescription WithBody(IReadOnlyList<Field> fields)
    {
        Body = fields;
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
    public RouteDescription Answers(int status, string what, string contentType = "")
    {
        Answer = (status, null, what, null);
        ContentType = contentType;
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
        if (Answer.Type is not null) endpoint.Metadata.Add(new ProducesResponseTypeMetadata(Answer.Status, Answer.Type, [ContentType]));
    }

    private static IReadOnlyList<(int Status, string Why)> WithReusedKey(IReadOnlyList<(int Status, string Why)> errors)
    {
        const string Reused = "The Idempotency-Key was used for another request.";
        return errors.All(error => error.Status != 409)
            ? [.. errors, (409, Reused)]
            : [.. errors.Select(error => error.Status == 409 ? (409, $"{error.Why} Or: {Reused}") : error)];
    }
}
