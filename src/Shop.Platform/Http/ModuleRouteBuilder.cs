using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Platform.OpenApi;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>
/// A route that is being mapped. <c>WithName</c>, <c>WithTags</c>, <c>WithSummary</c> and <c>WithDescription</c> of the
/// framework document it; the methods here add what the framework has no method for.
/// </summary>
public sealed class ModuleRouteBuilder : IEndpointConventionBuilder
{
    private static readonly RequestDelegate Described = static _ => Task.CompletedTask;

    private readonly IReadOnlyList<IEndpointConventionBuilder> _endpoints;

    /// <summary>Begins with the endpoints of a route: GET has HEAD beside it.</summary>
    internal ModuleRouteBuilder(string document, params IReadOnlyList<IEndpointConventionBuilder> endpoints)
    {
        _endpoints = endpoints;
        this.WithGroupName(document);
        Finally(static endpoint =>
        {
            StandardResponses.AddTo(endpoint);
            endpoint.Metadata.Add(Described.Method); // the API explorer describes endpoints that have a method
        });
    }

    /// <inheritdoc/>
    public void Add(Action<EndpointBuilder> convention)
    {
        foreach (IEndpointConventionBuilder endpoint in _endpoints) endpoint.Add(convention);
    }

    /// <inheritdoc/>
    public void Finally(Action<EndpointBuilder> finallyConvention)
    {
        foreach (IEndpointConventionBuilder endpoint in _endpoints) endpoint.Finally(finallyConvention);
    }

    /// <summary>The query parameters: fields that the handler reads.</summary>
    public ModuleRouteBuilder WithQuery(IReadOnlyList<Field> fields) => this.WithMetadata(new QueryParameters(fields));

    /// <summary>The request headers that the handler reads.</summary>
    public ModuleRouteBuilder WithHeaders(params IReadOnlyList<Field> fields) =>
        this.WithMetadata(new HeaderParameters(fields));

    /// <summary>The JSON body of the request. A handler that reads a body must be mapped with one.</summary>
    /// <param name="schema">Name of its schema, as generated clients have it: <c>PlaceOrderRequest</c>.</param>
    /// <param name="fields">Its fields.</param>
    public ModuleRouteBuilder WithBody(string schema, IReadOnlyList<Field> fields) =>
        this.WithMetadata(new JsonRequestBody(schema, fields));

    /// <summary>The parameter in the path, as the document shows it.</summary>
    public ModuleRouteBuilder WithPathExample(string value) => this.WithMetadata(new PathExample(value));

    /// <summary>The response to a request that succeeds.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="description">What it is.</param>
    /// <param name="example">An example, in JSON.</param>
    public ModuleRouteBuilder Produces<T>(int status, string description, string example) => this.WithMetadata(
        new ProducesResponseTypeMetadata(status, typeof(T), ["application/json"]) { Description = description },
        new ResponseExample(status, example));

    /// <summary>A response that has no JSON schema.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="description">What it is.</param>
    /// <param name="contentTypes">The types that it may have; none if it has no body.</param>
    public ModuleRouteBuilder Produces(int status, string description, params string[] contentTypes) =>
        this.WithMetadata(
            new ProducesResponseTypeMetadata(status, contentTypes: contentTypes) { Description = description });

    /// <summary>An error that clients must expect, beside those of every route.</summary>
    public ModuleRouteBuilder ProducesProblem(int status, string description) =>
        Produces(status, description, Problem.ContentType);

    /// <summary>A member that problems of this route may have beside those of every problem.</summary>
    public ModuleRouteBuilder WithProblemMember(Field member) => this.WithMetadata(new ProblemMember(member));

    /// <summary>The response has the entity tag of what was read or written.</summary>
    public ModuleRouteBuilder WithEntityTag() => this.WithMetadata(EntityTagResponse.Instance);

    /// <summary>Clients may keep the response, and ask by its entity tag whether it is still current.</summary>
    public ModuleRouteBuilder RevalidateCaches() => WithEntityTag().WithMetadata(Caching.Revalidated);

    /// <summary>The response is compressed for clients that accept it.</summary>
    public ModuleRouteBuilder CompressResponse() => this.WithMetadata(Caching.NoStoreCompressed);

    /// <summary>
    /// Calls this if a request timed out in the queue of writing requests: such a request never reaches the handler.
    /// </summary>
    public ModuleRouteBuilder OnQueueTimeout(Action callback) => this.WithMetadata(new QueueTimeoutCallback(callback));
}
