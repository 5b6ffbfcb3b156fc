using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Shop.Platform.Http;

/// <summary>Whether a client takes JSON for an answer.</summary>
internal static class Accepts
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly MediaTypeHeaderValue Html = new("text/html");

    public static bool JsonIn(IHeaderDictionary headers)
    {
        StringValues accept = headers.Accept;
        if (accept.Count == 0 || (accept.Count == 1 && accept[0] is "*/*" or "application/json" or "")) return true;
        // What can't be read is taken as no wish at all.
        if (!MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? wished)) return true;
        return PlaceOrderRequest(wished, Json).Quality > 0;
    }

    /// <summary>
    /// Whether a client would rather have a page: it takes HTML no less than JSON, and says so more closely than by
    /// <c>*/*</c>.
    /// </summary>
    public static bool PrefersHtml(IHeaderDictionary headers)
    {
        StringValues accept = headers.Accept;
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? wished)) return false;
        (double Quality, int Closeness) html = PlaceOrderRequest(wished, Html), json = PlaceOrderRequest(wished, Json);
        if (html.Quality != json.Quality) return html.Quality > json.Quality;
        return html.Quality > 0 && html.Closeness > 0 && html.Closeness >= json.Closeness;
    }

    /// <summary>Says that the answer is chosen by <c>Accept</c>.</summary>
    public static void Vary(IHeaderDictionary headers)
    {
        string known = headers.Vary.ToString();
        if (!known.Split(',', StringSplitOptions.TrimEntries).Contains("Accept"))
            headers.Vary = known.Length == 0 ? "Accept" : $"{known}, Accept";
    }

    // The closest range that covers a type decides: "application/json;q=0, */*" refuses JSON.
    private static (double Quality, int Closeness) PlaceOrderRequest(IList<MediaTypeHeaderValue> wished, MediaTypeHeaderValue type)
    {
        MediaTypeHeaderValue? best = wished.Where(range => type.IsSubsetOf(new MediaTypeHeaderValue(range.MediaType)))
            .MaxBy(Closeness);
        return best is null ? (0, 0) : (best.Quality ?? 1, Closeness(best));
    }

    private static int Closeness(MediaTypeHeaderValue range) =>
        range.MatchesAllTypes ? 0 : range.MatchesAllSubTypes ? 1 : 2;
}
