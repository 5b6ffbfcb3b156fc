namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// An index of a table that only grows, cut into runs of <see cref="RowsPerSegment"/> rows. A run is written when it is
/// complete, in one go and in order, so that an insert touches no page of an index, where a plain one would touch one
/// of thousands for each row. A read looks at the rows of the newest run one by one, and then into the index of each
/// run before, newest first, until it has enough.
/// </summary>
/// <remarks>
/// Each row has the number after that of the row before, from 1, whatever was deleted meanwhile; run <c>n</c> has those
/// from <c>n * RowsPerSegment</c> on.
/// </remarks>
public static class SegmentedIndex
{
    /// <summary>Rows of a run. The migrations that make such indexes say the same number.</summary>
    public const int RowsPerSegment = 1024;

    private const string Runs =
        "WITH RECURSIVE run(n) AS (SELECT @NewestSegment UNION ALL SELECT n - 1 FROM run WHERE n > @OldestSegment)";

    /// <summary>
    /// Whether a row that was just inserted begins a run: then the one before is complete, and is indexed in the same
    /// write.
    /// </summary>
    public static bool StartsSegment(long row) => row % RowsPerSegment == 0;

    /// <summary>Rows newest first: runs are read until there are enough, twice as many each time.</summary>
    /// <param name="sql">What to read before a row, newest first and with <c>LIMIT @Limit</c>.</param>
    /// <param name="numbers">The numbers of the table's rows.</param>
    /// <param name="before">Only rows before this one are wanted.</param>
    /// <param name="limit">Enough.</param>
    /// <param name="query">Runs a query; the bounds are parameters of it.</param>
    public static T[] NewestFirst<T>(
        SegmentQueries sql, RowRange numbers, long before, long limit,
            Func<string, SegmentBounds, IEnumerable<T>> query)
    {
        (long oldest, long incomplete) = numbers.Runs;
        List<T> rows =
            [.. query(sql.Incomplete, new SegmentBounds(SegmentStart: incomplete * RowsPerSegment, Limit: limit))];
        long width = 1;
        for (long newest = Math.Min(incomplete - 1, (before - 1) / RowsPerSegment); newest >= oldest
            && rows.Count < limit; newest -= width, width *= 2)
        {
            long oldestOfThese = Math.Max(oldest, newest - width + 1);
            rows.AddRange(query($"{Runs} {sql.Indexed}",
                new SegmentBounds(NewestSegment: newest, OldestSegment: oldestOfThese, Limit: limit - rows.Count)));
        }

        return [.. rows];
    }

    /// <summary>Counts rows of all runs, and stops at a bound.</summary>
    /// <param name="sql">What to count: one row for each, without <c>LIMIT</c>.</param>
    /// <param name="numbers">The numbers of the table's rows.</param>
    /// <param name="atMost">The bound.</param>
    /// <param name="count">Runs a query that counts; the bounds are parameters of it.</param>
    public static long Count(SegmentQueries sql, RowRange numbers, long atMost, Func<string, SegmentBounds, long> count)
    {
        (long oldest, long incomplete) = numbers.Runs;
        long newest = count(
            Counted("", sql.Incomplete), new SegmentBounds(SegmentStart: incomplete * RowsPerSegment, Limit: atMost));
        if (incomplete == oldest || newest == atMost) return newest;
        return newest + count(Counted(Runs, sql.Indexed),
            new SegmentBounds(NewestSegment: incomplete - 1, OldestSegment: oldest, Limit: atMost - newest));
    }

    private static string Counted(string with, string rows) => $"{with} SELECT count(*) FROM ({rows} LIMIT @Limit)";
}

/// <summary>The rows that a query is about, each bound by the name of its parameter.</summary>
/// <param name="SegmentStart">The first row of the incomplete run.</param>
/// <param name="NewestSegment">The newest run that is looked into.</param>
/// <param name="OldestSegment">The oldest run that is looked into.</param>
/// <param name="Limit">The most rows.</param>
public sealed record SegmentBounds(long SegmentStart = 0, long NewestSegment = 0, long OldestSegment = 0,
    long Limit = 0);

/// <summary>The numbers of the rows of a table: the first and the last that are there.</summary>
public sealed record RowRange(long Oldest, long Newest)
{
    /// <summary>The oldest run with a row, and the run that is not complete.</summary>
    internal (long Oldest, long Incomplete) Runs =>
        (Oldest / SegmentedIndex.RowsPerSegment, Newest / SegmentedIndex.RowsPerSegment);
}

/// <summary>The same question to both parts of a table with a <see cref="SegmentedIndex"/>.</summary>
/// <param name="Incomplete">Of the rows from <c>@SegmentStart</c> on, which no index has.</param>
/// <param name="Indexed">By the index, joined to <c>run</c>, the runs that are looked into.</param>
public sealed record SegmentQueries(string Incomplete, string Indexed);
