namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// An index of an append-only table, in segments of <see cref="RowsPerSegment"/> rows. The index of a segment is
/// written when the segment is complete, in one write and in order. So an insert touches no index page; with a plain
/// index, each row would touch one of thousands of pages. A read scans the rows of the newest segment, and then uses
/// the index of each older segment, newest first, until it has enough rows.
/// </summary>
/// <remarks>
/// Rows are numbered from 1 without gaps, whatever was deleted meanwhile; segment <c>n</c> starts with row <c>n *
/// RowsPerSegment</c>.
/// </remarks>
public static class SegmentedIndex
{
    /// <summary>Rows of a segment. The migrations that create such indexes contain the same number.</summary>
    public const int RowsPerSegment = 1024;

    private const string SegmentNumbers =
        "WITH RECURSIVE run(n) AS (SELECT @NewestSegment UNION ALL SELECT n - 1 FROM run WHERE n > @OldestSegment)";

    /// <summary>
    /// Whether a row that was just inserted starts a segment: then the segment before is complete, and is indexed in
    /// the same write.
    /// </summary>
    public static bool StartsSegment(long row) => row % RowsPerSegment == 0;

    /// <summary>
    /// Reads rows, newest first: segments are read until there are enough rows, twice as many segments each time.
    /// </summary>
    /// <param name="sql">What to read before a row, newest first and with <c>LIMIT @Limit</c>.</param>
    /// <param name="numbers">The numbers of the table's rows.</param>
    /// <param name="before">Only rows before this one are wanted.</param>
    /// <param name="limit">The most rows.</param>
    /// <param name="query">Runs a query; the bounds are parameters of it.</param>
    public static T[] NewestFirst<T>(
        SegmentQueries sql, RowRange numbers, long before, long limit,
            Func<string, SegmentBounds, IEnumerable<T>> query)
    {
        (long oldest, long incomplete) = numbers.Segments;
        List<T> rows =
            [.. query(sql.Incomplete, new SegmentBounds(SegmentStart: incomplete * RowsPerSegment, Limit: limit))];
        long width = 1;
        for (long newest = Math.Min(incomplete - 1, (before - 1) / RowsPerSegment); newest >= oldest
            && rows.Count < limit; newest -= width, width *= 2)
        {
            long oldestOfThese = Math.Max(oldest, newest - width + 1);
            rows.AddRange(query($"{SegmentNumbers} {sql.Indexed}",
                new SegmentBounds(NewestSegment: newest, OldestSegment: oldestOfThese, Limit: limit - rows.Count)));
        }

        return [.. rows];
    }

    /// <summary>Counts rows of all segments, and stops at a bound.</summary>
    /// <param name="sql">What to count: one row for each, without <c>LIMIT</c>.</param>
    /// <param name="numbers">The numbers of the table's rows.</param>
    /// <param name="atMost">The bound.</param>
    /// <param name="count">Runs a query that counts; the bounds are parameters of it.</param>
    public static long Count(SegmentQueries sql, RowRange numbers, long atMost, Func<string, SegmentBounds, long> count)
    {
        (long oldest, long incomplete) = numbers.Segments;
        long newest = count(
            Counted("", sql.Incomplete), new SegmentBounds(SegmentStart: incomplete * RowsPerSegment, Limit: atMost));
        if (incomplete == oldest || newest == atMost) return newest;
        return newest + count(Counted(SegmentNumbers, sql.Indexed),
            new SegmentBounds(NewestSegment: incomplete - 1, OldestSegment: oldest, Limit: atMost - newest));
    }

    private static string Counted(string with, string rows) => $"{with} SELECT count(*) FROM ({rows} LIMIT @Limit)";
}

/// <summary>The rows and segments that a query reads. The names are those of its parameters.</summary>
/// <param name="SegmentStart">The first row of the incomplete segment.</param>
/// <param name="NewestSegment">The newest segment to read.</param>
/// <param name="OldestSegment">The oldest segment to read.</param>
/// <param name="Limit">The most rows.</param>
public sealed record SegmentBounds(long SegmentStart = 0, long NewestSegment = 0, long OldestSegment = 0,
    long Limit = 0);

/// <summary>The numbers of the rows of a table: the first and the last that are there.</summary>
public sealed record RowRange(long Oldest, long Newest)
{
    /// <summary>The oldest segment with a row, and the segment that is not complete.</summary>
    internal (long Oldest, long Incomplete) Segments =>
        (Oldest / SegmentedIndex.RowsPerSegment, Newest / SegmentedIndex.RowsPerSegment);
}

/// <summary>The same query for both parts of a table with a <see cref="SegmentedIndex"/>.</summary>
/// <param name="Incomplete">The query of the rows from <c>@SegmentStart</c> on, which are not indexed.</param>
/// <param name="Indexed">The query by the index, joined to <c>run</c>, the segments to read.</param>
public sealed record SegmentQueries(string Incomplete, string Indexed);
