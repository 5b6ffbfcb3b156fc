using Dapper;
using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// An index of a table that only grows, cut into runs of <see cref="RowsPerSegment"/> rows. A run is written when it is complete, in one go and in order, so that
/// an insert touches no page of an index, where a plain one would touch one of thousands for each row. A read looks at the rows of the newest run one by one, and
/// then into the index of each run before, newest first, until it has enough.
/// </summary>
/// <remarks>Each row has the number after that of the row before, from 1, whatever was deleted meanwhile; run <c>n</c> has those from <c>n * RowsPerSegment</c> on.</remarks>
public static class SegmentedIndex
{
    /// <summary>Rows of a run. The migrations that make such indexes say the same number.</summary>
    public const int RowsPerSegment = 1024;

    private const string Runs = "WITH RECURSIVE run(n) AS (SELECT @newestRun UNION ALL SELECT n - 1 FROM run WHERE n > @oldestRun)";

    /// <summary>Whether a row that was just inserted begins a run: then the one before is complete, and is indexed in the same write.</summary>
    public static bool StartsSegment(long row) => row % RowsPerSegment == 0;

    /// <summary>Rows newest first: runs are read until there are enough, twice as many each time.</summary>
    /// <param name="connection">Where to read.</param>
    /// <param name="sql">What to read, newest first and with <c>LIMIT @limit</c>.</param>
    /// <param name="numbers">The numbers of the table's rows.</param>
    /// <param name="before">Only rows before this one are wanted.</param>
    /// <param name="limit">Enough.</param>
    /// <param name="parameters">What else the queries ask for.</param>
    public static T[] NewestFirst<T>(SqliteConnection connection, SegmentQueries sql, RowRange numbers, long before, long limit, object parameters)
    {
        (long oldest, long incomplete) = numbers.Runs;
        List<T> rows = [.. connection.Query<T>(sql.Incomplete, Asking(parameters, ("runStart", incomplete * RowsPerSegment), ("before", before), ("limit", limit)))];
        long width = 1;
        for (long newest = Math.Min(incomplete - 1, (before - 1) / RowsPerSegment); newest >= oldest && rows.Count < limit; newest -= width, width *= 2)
        {
            rows.AddRange(connection.Query<T>($"{Runs} {sql.Indexed}", Asking(parameters,
                ("newestRun", newest), ("oldestRun", Math.Max(oldest, newest - width + 1)), ("before", before), ("limit", limit - rows.Count))));
        }

        return [.. rows];
    }

    /// <summary>Counts rows of all runs, and stops at a bound.</summary>
    /// <param name="connection">Where to read.</param>
    /// <param name="sql">What to count: one row for each, without <c>LIMIT</c>.</param>
    /// <param name="numbers">The numbers of the table's rows.</param>
    /// <param name="atMost">The bound.</param>
    /// <param name="parameters">What else the queries ask for.</param>
    public static long Count(SqliteConnection connection, SegmentQueries sql, RowRange numbers, long atMost, object parameters)
    {
        (long oldest, long incomplete) = numbers.Runs;
        long count = connection.ExecuteScalar<long>(Counted("", sql.Incomplete), Asking(parameters, ("runStart", incomplete * RowsPerSegment), ("atMost", atMost)));
        if (incomplete == oldest || count == atMost) return count;
        return count + connection.ExecuteScalar<long>(Counted(Runs, sql.Indexed),
            Asking(parameters, ("newestRun", incomplete - 1), ("oldestRun", oldest), ("atMost", atMost - count)));
    }

    private static string Counted(string with, string rows) => $"{with} SELECT count(*) FROM ({rows} LIMIT @atMost)";

    private static DynamicParameters Asking(object parameters, params ReadOnlySpan<(string Name, long Value)> bounds)
    {
        var asking = new DynamicParameters(parameters);
        foreach ((string name, long value) in bounds) asking.Add(name, value);
        return asking;
    }
}

/// <summary>The numbers of the rows of a table: the first and the last that are there.</summary>
public sealed record RowRange(long Oldest, long Newest)
{
    /// <summary>The oldest run with a row, and the run that is not complete.</summary>
    internal (long Oldest, long Incomplete) Runs => (Oldest / SegmentedIndex.RowsPerSegment, Newest / SegmentedIndex.RowsPerSegment);
}

/// <summary>The same question to both parts of a table with a <see cref="SegmentedIndex"/>.</summary>
/// <param name="Incomplete">Of the rows from <c>@runStart</c> on, which no index has.</param>
/// <param name="Indexed">By the index, joined to <c>run</c>, the runs that are looked into.</param>
public sealed record SegmentQueries(string Incomplete, string Indexed);
