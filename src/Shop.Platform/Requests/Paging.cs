using System.Buffers.Text;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;

namespace Shop.Platform.Requests;

/// <summary>
/// Pages of lists. The cursor is the last row of a page, not an offset, so that inserted and deleted rows do not make
/// other rows appear twice or not at all.
/// </summary>
public static class Paging
{
    /// <summary>Header that says how many rows there are in all.</summary>
    public const string TotalHeader = "X-Total-Count";

    /// <summary>Header that is <c>gte</c> if there are more rows than <see cref="TotalHeader"/> says.</summary>
    public const string TotalRelationHeader = "X-Total-Count-Relation";

    /// <summary>
    /// Rows that are counted for a total. Counting all of a million takes far longer than reading a page.
    /// </summary>
    public const long MaxCounted = 10_000;

    /// <summary>
    /// About the most bytes of JSON of a page. A row that exceeds it is left to the next page, unless it is the first.
    /// </summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>Rows of a page.</summary>
    public static readonly WholeNumberField Limit = new("limit", 1, 1000)
    {
        Description = "The most rows that a page has.",
        Example = "20",
        Default = 100,
    };

    /// <summary>Where the page begins.</summary>
    public static readonly TextField After = new("after", 1, 2000)
    {
        Description = "Where the page begins: the opaque cursor from the Link header of the page before.",
        Example = "\"cHJvZF8x\"",
    };

    /// <summary>A cursor of these parts.</summary>
    public static string Cursor(params ReadOnlySpan<string> parts) =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Join('\n', parts!)));

    /// <summary>Reads the cursor of a query; an error if it does not have so many parts.</summary>
    public static string[]? ReadCursor(this Query query, int parts)
    {
        if (query.Read(After) is not { } cursor) return null;
        byte[] bytes = new byte[cursor.Length];
        if (!cursor.All(char.IsAscii) || !Base64Url.IsValid(cursor)
            || !Base64Url.TryDecodeFromChars(cursor, bytes, out int length)) return query.NoCursor();
        string[] read = Encoding.UTF8.GetString(bytes.AsSpan(0, length)).Split('\n');
        // It must be the same when written again: a forged cursor may hold invalid text, or another spelling.
        return read.Length == parts && Cursor(read) == cursor ? read : query.NoCursor();
    }

    /// <summary>Reads a cursor that is the number of a row, from 1; an error if it is not.</summary>
    /// <returns>Null if there is no cursor, or it is wrong.</returns>
    public static long? ReadRowCursor(this Query query)
    {
        if (query.ReadCursor(1) is not [var text]) return null;
        if (WholeNumberField.ParseDigits(text) is > 0 and { } row) return row;
        query.NoCursor();
        return null;
    }

    /// <summary>Adds the error that the cursor is not of this list.</summary>
    public static string[]? NoCursor(this Query query)
    {
        query.Errors.Add(After.Name, "is not a cursor of this list; take it from the Link header of the page before");
        return null;
    }

    /// <summary>
    /// How many rows a list has in all, counted up to <see cref="MaxCounted"/>. A first page that is the last page as
    /// well needs no count.
    /// </summary>
    /// <param name="rows">Rows that were read.</param>
    /// <param name="areAll">Whether the list has no others.</param>
    /// <param name="count">Counts the rows, up to a bound that it is given.</param>
    public static RowTotal Count(int rows, bool areAll, Func<long, long> count) =>
        areAll ? new RowTotal(rows) : Counted(count(MaxCounted + 1));

    /// <summary>The total of a count that went up to one row more than <see cref="MaxCounted"/>.</summary>
    public static RowTotal Counted(long rows) => new(Math.Min(rows, MaxCounted), IsExact: rows <= MaxCounted);

    /// <summary>
    /// The page with the first of these rows. One row more than the limit must have been read, to know whether there
    /// are more.
    /// </summary>
    public static PageOf<TRow> TakePage<TRow>(IReadOnlyList<TRow> rows, int limit) =>
        rows.Count > limit ? new([.. rows.Take(limit)], HasMore: true) : new(rows, HasMore: false);

    /// <summary>Adds the headers of a page, and returns its rows.</summary>
    public static IReadOnlyList<TRow> Page<TRow>(HttpContext http, PageOf<TRow> page, RowTotal total,
        Func<TRow, string> cursorOf)
    {
        Announce(http, total, page.HasMore ? Cursor(cursorOf(page.Rows[^1])) : null);
        return page.Rows;
    }

    /// <summary>
    /// Bytes of a text in JSON, without its quotes. Characters outside of the basic plane are escaped.
    /// </summary>
    public static int Bytes(string text)
    {
        int bytes = 0;
        foreach (char unit in text) bytes += char.IsAscii(unit) ? 1 : char.IsSurrogate(unit) ? 6 : 3;
        return bytes;
    }

    /// <summary>Adds the headers with the total and the link to the next page.</summary>
    public static void Announce(HttpContext http, RowTotal total, string? nextCursor)
    {
        http.Response.Headers[TotalHeader] = total.Rows.ToString();
        if (!total.IsExact) http.Response.Headers[TotalRelationHeader] = "gte";
        if (nextCursor is null) return;
        var query = new QueryBuilder(http.Request.Query
            .Where(parameter => parameter.Key != After.Name)
            .Select(parameter => KeyValuePair.Create(parameter.Key, parameter.Value.ToString())))
        {
            { After.Name, nextCursor },
        };
        http.Response.Headers.Link =
            $"<{http.Request.PathBase.ToUriComponent()}{http.Request.Path.ToUriComponent()}{query}>; rel=\"next\"";
    }
}

/// <summary>
/// The rows of a page. There may be fewer than requested even if there are more: <see cref="Paging.MaxBytes"/> also
/// ends a page.
/// </summary>
/// <param name="Rows">The rows.</param>
/// <param name="HasMore">Whether the list goes on.</param>
public sealed record PageOf<TRow>(IReadOnlyList<TRow> Rows, bool HasMore);

/// <summary>How many rows a list has in all.</summary>
/// <param name="Rows">The number of rows.</param>
/// <param name="IsExact">Whether the number is exact; if not, there are more.</param>
public readonly record struct RowTotal(long Rows, bool IsExact = true);
