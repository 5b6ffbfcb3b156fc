using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>
/// Conditions of a client that must hold before its request is answered (RFC 9110, section 13): <c>If-Match</c> first,
/// then <c>If-None-Match</c>. Both are checked only if the request would succeed without them.
/// <c>If-Unmodified-Since</c> and <c>If-Modified-Since</c> are ignored, as the RFC asks of what has no
/// <c>Last-Modified</c>.
/// </summary>
public readonly struct Preconditions
{
    /// <summary><c>If-Match</c> as a parameter of the OpenAPI document.</summary>
    public static readonly TextField IfMatch = new("If-Match", 1, 2000)
    {
        Description = "ETags that the client has seen, or *. If the current ETag is none of them, the answer is "
            + "412 and nothing changes. Weak tags match nothing.",
        Example = "\"\\\"6b1f5c2a9d3e4f5061728394\\\"\"",
    };

    /// <summary><c>If-None-Match</c> as a parameter of the OpenAPI document.</summary>
    public static readonly TextField IfNoneMatch = new("If-None-Match", 1, 2000)
    {
        Description = "ETags that the client has, or *. If the current ETag is one of them, a read is answered "
            + "304 without a body, and a change 412.",
        Example = "\"\\\"6b1f5c2a9d3e4f5061728394\\\"\"",
    };

    private readonly StringValues _ifMatch, _ifNoneMatch;

    private Preconditions(HttpRequest request)
    {
        _ifMatch = request.Headers.IfMatch;
        _ifNoneMatch = request.Headers.IfNoneMatch;
    }

    /// <summary>The preconditions of a read. A list of tags that can't be read names no tag.</summary>
    public static Preconditions Of(HttpRequest request) => new(request);

    /// <summary>
    /// The preconditions of a change. A condition that can't be read is an error, because none may be ignored.
    /// </summary>
    public static Preconditions Of(HttpRequest request, ValidationErrors errors)
    {
        var preconditions = new Preconditions(request);
        Check(preconditions._ifMatch, IfMatch, errors);
        Check(preconditions._ifNoneMatch, IfNoneMatch, errors);
        return preconditions;
    }

    /// <summary>Checks them for a read.</summary>
    /// <param name="tag">Its strong entity tag.</param>
    /// <param name="what">What it is, as <c>product</c>.</param>
    /// <param name="id">Its id.</param>
    /// <returns>The answer, 304 or 412; null if it may be read.</returns>
    public IResult? RefuseRead(string tag, string what, string id)
    {
        if (!DoesMatchHold(tag)) return Failed(what, id);
        return DoesNoneMatchHold(tag) ? null : new NotModified(tag);
    }

    /// <summary>Checks them for a change.</summary>
    /// <returns>412; null if it may be changed.</returns>
    /// <inheritdoc cref="RefuseRead" path="/param"/>
    public Problem? RefuseChange(string tag, string what, string id)
    {
        if (!DoesMatchHold(tag)) return Failed(what, id);
        return DoesNoneMatchHold(tag) ? null : Failed($"If-None-Match names the current ETag of the {what} '{id}'.");
    }

    private bool DoesMatchHold(string tag) => _ifMatch.Count == 0 || Names(_ifMatch, tag, useStrongComparison: true);

    private bool DoesNoneMatchHold(string tag) =>
        _ifNoneMatch.Count == 0 || !Names(_ifNoneMatch, tag, useStrongComparison: false);

    private static Problem Failed(string what, string id) =>
        Failed($"If-Match does not name the current ETag of the {what} '{id}'; read it again.");

    private static Problem Failed(string error) =>
        new(StatusCodes.Status412PreconditionFailed, error, "precondition-failed");

    private static void Check(StringValues header, TextField field, ValidationErrors errors)
    {
        if (header.Count == 0 || IsAny(header)) return;
        bool isList = EntityTagHeaderValue.TryParseStrictList(header, out IList<EntityTagHeaderValue>? tags)
            && !tags.Contains(EntityTagHeaderValue.Any);
        if (!isList) errors.Add(field.Name, "must be * or a list of entity tags, each in double quotes");
    }

    private static bool Names(StringValues header, string tag, bool useStrongComparison)
    {
        if (header.Count == 1 && header[0] == tag) return true;
        if (IsAny(header)) return true;
        if (!EntityTagHeaderValue.TryParseList(header, out IList<EntityTagHeaderValue>? tags)) return false;
        var current = new EntityTagHeaderValue(tag);
        return tags.Any(named =>
            !named.Equals(EntityTagHeaderValue.Any) && named.Compare(current, useStrongComparison));
    }

    // A star stands alone: among tags it is not of the header's grammar.
    private static bool IsAny(StringValues header) => header.Count == 1 && header[0].AsSpan().Trim(" \t") is "*";

    private sealed class NotModified(string tag) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status304NotModified;
            httpContext.Response.Headers.ETag = tag;
            return Task.CompletedTask;
        }
    }
}
