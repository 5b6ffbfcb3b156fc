using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Shop.Platform.Http;

/// <summary>Whether a client takes JSON for an answer.</summary>
internal static class Accepts
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    public static bool JsonIn(IHeaderDictionary headers)
    {
        StringValues accept = headers.Accept;
        if (accept.Count == 0 || (accept.Count == 1 && accept[0] is "*/*" or "application/json" or "")) return true;
        // What can't be read is taken as no wish at all.
        if (!MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? wished)) return true;
        // The most specific range that covers JSON decides: "application/json;q=0, */*" refuses it.
        MediaTypeHeaderValue? best = wished.Where(range => Json.IsSubsetOf(Bare(range)))
            .MaxBy(range => range.MatchesAllTypes ? 0 : range.MatchesAllSubTypes ? 1 : 2);
        return best is not null && best.Quality is not 0;
    }

    /// <summary>Whether a client would rather have a page: it names HTML, and no less than JSON.</summary>
    public static bool PrefersHtml(IHeaderDictionary headers)
    {
        StringValues accept = headers.Accept;
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? wished)) return false;
        double? html = Quality(wished, "text/html"), json = Quality(wished, "application/json");
        return html > (json ?? 0) || (html is > 0 && html == json);
    }

    /// <summary>Says that the answer is chosen by <c>Accept</c>.</summary>
    public static void Vary(IHeaderDictionary headers)
    {
        if (headers.Vary.Count == 0) headers.Vary = "Accept";
        else if (!headers.Vary.Contains("Accept")) headers.Vary = StringValues.Concat(headers.Vary, "Accept");
    }

    private static double? Quality(IList<MediaTypeHeaderValue> wished, string type) =>
        wished.FirstOrDefault(range => range.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase)) is { } range ? range.Quality ?? 1 : null;

    private static MediaTypeHeaderValue Bare(MediaTypeHeaderValue range) => new(range.MediaType);
}
