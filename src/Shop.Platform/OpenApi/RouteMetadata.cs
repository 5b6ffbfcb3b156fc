using Shop.Platform.Requests;

namespace Shop.Platform.OpenApi;

/// <summary>The query parameters of a route.</summary>
internal sealed record QueryParameters(IReadOnlyList<Field> Fields);

/// <summary>The request headers that a route reads.</summary>
internal sealed record HeaderParameters(IReadOnlyList<Field> Fields);

/// <summary>The JSON body that a route reads.</summary>
internal sealed record JsonRequestBody(string Schema, IReadOnlyList<Field> Fields);

/// <summary>The parameter in a route's path, as an example.</summary>
internal sealed record PathExample(string Value);

/// <summary>An example of the response with this status, in JSON.</summary>
internal sealed record ResponseExample(int Status, string Json);

/// <summary>A member of a route's problems.</summary>
internal sealed record ProblemMember(Field Field);

/// <summary>Marks routes whose response has an entity tag.</summary>
internal sealed class EntityTagResponse
{
    public static EntityTagResponse Instance { get; } = new();
}

/// <summary>Marks routes that accept an <c>Idempotency-Key</c>: every route that changes something.</summary>
internal sealed class AcceptsIdempotencyKey
{
    public static AcceptsIdempotencyKey Instance { get; } = new();
}

/// <summary>The callback for requests of a route that timed out in the queue of writing requests.</summary>
internal sealed record QueueTimeoutCallback(Action Invoke);
